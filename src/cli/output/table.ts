import { stripVTControlCharacters } from 'node:util'
import { printable } from './styles.ts'

/** A column: its title, and the cell of one row. */
export interface Column<T> {
  readonly title: string
  readonly cell: (row: T) => string | number | undefined
  /** Numbers read better when their ends are below one another. */
  readonly right?: boolean
}

const GAP = '  '
const COLUMN_WIDTH_MIN = 6 // an ellipsis and a hint of what was there

/**
 * A table as lines. Where it would be wider than `width`, the widest columns give way first and their cells are cut with an
 * ellipsis; without a width (no terminal, so perhaps a script) nothing is ever cut.
 */
export function renderTable<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  width: number | undefined,
): string[] {
  const cells = [
    columns.map(column => column.title),
    ...rows.map(row =>
      columns.map(column => printable(String(column.cell(row) ?? '')).replaceAll('\n', ' ')),
    ),
  ]
  const widths = columns.map((_, i) => Math.max(...cells.map(line => widthOf(line[i]!))))
  if (width !== undefined) shrink(widths, width - GAP.length * (columns.length - 1))
  return cells.map(line =>
    line
      .map((text, i) => {
        const shown = cut(text, widths[i]!)
        const padding = ' '.repeat(widths[i]! - widthOf(shown))
        return columns[i]!.right ? padding + shown : shown + padding
      })
      .join(GAP)
      .trimEnd(),
  )
}

/** Names and values below one another, for one thing. Empty values are left out; what is no text is shown escaped. */
export function renderFields(
  fields: readonly (readonly [name: string, value: string | number | undefined])[],
): string[] {
  const shown = fields.filter(([, value]) => value !== undefined && value !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => {
    const [first, ...more] = printable(String(value)).split('\n')
    return [
      `${name.padEnd(width)}${GAP}${first}`,
      ...more.map(line => ' '.repeat(width + GAP.length) + line),
    ].join('\n')
  })
}

function shrink(widths: number[], available: number): void {
  let total = widths.reduce((sum, width) => sum + width, 0)
  while (total > available) {
    const widest = Math.max(...widths)
    if (widest <= COLUMN_WIDTH_MIN) return
    widths[widths.indexOf(widest)] = widest - 1
    total--
  }
}

function cut(text: string, width: number): string {
  return widthOf(text) <= width ? text : `${text.slice(0, width - 1)}…`
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length
}
