export function useCompileCache(): void
