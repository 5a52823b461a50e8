import { visibleText } from './visible-text.ts'

/** Rows under each other, columns as wide as their longest cell, two blanks between them. */
export function table(rows: readonly (readonly string[])[], indent = ''): string {
  const clean = rows.map((row) => row.map(visibleText))
  const columns = Math.max(0, ...clean.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(0, ...clean.map((row) => (row[column] ?? '').length)),
  )
  const line = (row: readonly string[]): string =>
    `${indent}${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()
  return clean.map((row) => `${line(row)}\n`).join('')
}

/** 2026-01-02T03:04:05Z */
export const instant = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')

const LONGEST_PREVIEW = 60

/** A value on one short line. */
export function preview(value: unknown): string {
  const text = visibleText(typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined'))
  return text.length <= LONGEST_PREVIEW ? text : `${text.slice(0, LONGEST_PREVIEW - 1)}…`
}
