/** What compiles and runs C# on this machine: Mono, or the SDK of .NET. */
export interface Toolchain {
  readonly kind: 'mono' | 'sdk'
  /** As `dotnet --version` or `mono --version` says it. */
  readonly version: string
  /** Program and arguments that come before an assembly to run. */
  readonly runtime: readonly string[]
  /** Program and arguments that come before the compiler's own. */
  readonly compiler: readonly string[]
  /** The compiler's options that are the same for the shim and every function: which assemblies there are. */
  readonly options: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** A folder outside of /usr that it lies in. */
  readonly outside: string | undefined
  /** Files beside the shim that make it start, by their names. */
  readonly beside: Readonly<Record<string, string>>
}
