const METRES = { m: 1, km: 1000, mi: 1609.344, ft: 0.3048, nmi: 1852 }

export type Unit = keyof typeof METRES

export const units = Object.keys(METRES) as Unit[]

export function convert(value: number, from: Unit, to: Unit): number {
  return (value * METRES[from]) / METRES[to]
}
