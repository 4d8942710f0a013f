import type { CallHead } from './contract.ts'

/** Every header field of a call, of both its parts, in their order. */
export function eachField(
  { headers, block }: Pick<CallHead, 'headers' | 'block'>,
  use: (name: string, value: string) => void,
): void {
  for (let i = 0; i < headers.length; i += 2) use(headers[i]!, headers[i + 1]!)
  if (block === undefined) return
  for (const line of block.text.split('\n').slice(1)) {
    const colon = line.indexOf(': ')
    use(line.slice(0, colon), line.slice(colon + 2))
  }
}
