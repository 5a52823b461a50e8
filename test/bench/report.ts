// Report: what a benchmark found, as lines with their limits, as text and as Markdown.
import type { Timing, Timings } from './harness.ts'

/** What a line may cost at most. */
export type Limit =
  | { readonly kind: 'times'; readonly most: number }
  | { readonly kind: 'time'; readonly mostNs: number }
  | { readonly kind: 'bytes'; readonly mostBytes: number }

export interface Line {
  readonly name: string
  readonly ns: number | undefined
  /** Where room is in question, not time. */
  readonly bytes?: number
  /** What it is compared with; undefined for the baseline itself. */
  readonly baseline: string | undefined
  readonly ratio: number | undefined
  readonly limit: Limit | undefined
  /** Undefined where there is no limit. */
  readonly met: boolean | undefined
  /** Why there are no figures. */
  readonly missing: string | undefined
}

export interface Table {
  readonly title: string
  /** What one operation is. */
  readonly operation: string
  /** What the first column shows; `time` unless given. */
  readonly figure?: string
  readonly lines: readonly Line[]
  readonly notMeasured: string
}

/** One question, its file's only business. */
export interface Question {
  readonly name: string
  readonly answer: () => Promise<readonly Table[]>
}

export interface LineOptions {
  /** The name in the table, where it is not the contender's. */
  readonly name?: string
  readonly baseline?: string
  readonly limit?: Limit
}

/** Makes a line from what was timed. */
export function lineOf(timings: Timings, contender: string, { name, baseline, limit }: LineOptions = {}): Line {
  const { ns } = timingOf(timings, contender)
  const ratio = baseline === undefined ? undefined : ns / timingOf(timings, baseline).ns
  return {
    name: name ?? contender,
    ns,
    baseline,
    ratio,
    limit,
    met: isMet(ns, ratio, limit),
    missing: undefined,
  }
}

export interface BytesOptions {
  readonly mostBytes?: number
  readonly baseline?: Line
  readonly limit?: Limit
}

/** A line about room. */
export function bytesLine(name: string, bytes: number, { mostBytes, baseline, limit }: BytesOptions = {}): Line {
  const ratio = baseline?.bytes === undefined ? undefined : bytes / baseline.bytes
  const own: Limit | undefined = mostBytes === undefined ? limit : { kind: 'bytes', mostBytes }
  const met = own?.kind === 'bytes' ? bytes <= own.mostBytes : isMet(Number.NaN, ratio, own)
  return { name, ns: undefined, bytes, baseline: baseline?.name, ratio, limit: own, met, missing: undefined }
}

/** A line of something that could not be measured. */
export function missingLine(name: string, missing: string): Line {
  return {
    name,
    missing,
    ns: undefined,
    baseline: undefined,
    ratio: undefined,
    limit: undefined,
    met: undefined,
  }
}

function timingOf(timings: Timings, name: string): Timing {
  const timing = timings.get(name)
  if (timing === undefined) throw new TypeError(`nothing called "${name}" was timed`)
  return timing
}

function isMet(ns: number, ratio: number | undefined, limit: Limit | undefined): boolean | undefined {
  if (limit === undefined || limit.kind === 'bytes') return undefined
  return limit.kind === 'time' ? ns <= limit.mostNs : ratio !== undefined && ratio <= limit.most
}

const HEAD = ['', 'time', 'ratio', 'compared with', 'limit', ''] as const

function headOf({ figure }: Table): readonly string[] {
  return HEAD.map((name) => (name === 'time' ? (figure ?? name) : name))
}

function cellsOf({ name, ns, bytes, ratio, baseline, limit, met, missing }: Line): readonly string[] {
  if (missing !== undefined) return [name, 'not measured', '', missing, '', '']
  return [
    name,
    bytes === undefined ? formatNs(ns) : formatBytes(bytes),
    ratio === undefined ? '' : `${ratio.toFixed(ratio < 10 ? 2 : 0)}×`,
    baseline ?? '',
    formatLimit(limit),
    met === undefined ? '' : met ? 'met' : 'MISSED',
  ]
}

function formatNs(ns: number | undefined): string {
  if (ns === undefined) return ''
  if (ns < 1e3) return `${ns.toFixed(0)} ns`
  return ns < 1e6 ? `${(ns / 1e3).toFixed(ns < 1e5 ? 2 : 0)} µs` : `${(ns / 1e6).toFixed(2)} ms`
}

function formatBytes(bytes: number): string {
  if (bytes < 2_048) return `${bytes.toFixed(0)} B`
  return bytes < 2 ** 20 ? `${(bytes / 2 ** 10).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`
}

function formatLimit(limit: Limit | undefined): string {
  if (limit === undefined) return ''
  if (limit.kind === 'bytes') return `≤ ${formatBytes(limit.mostBytes)}`
  return `≤ ${limit.kind === 'time' ? `${limit.mostNs / 1e3} µs` : `${limit.most}×`}`
}

/** The tables for a terminal. */
export function toText(tables: readonly Table[]): string {
  return tables.map(tableText).join('\n\n')
}

function tableText(table: Table): string {
  const { title, operation, lines, notMeasured } = table
  const rows = [headOf(table), ...lines.map(cellsOf)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const text = rows.map((row) =>
    row
      .map((cell, column) =>
        isNumeric(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
  return [
    title,
    `One operation: ${operation}`,
    ...text.map((line) => `  ${line}`),
    `Not measured: ${notMeasured}`,
  ].join('\n')
}

/** The tables for docs/benchmarks.md. */
export function toMarkdown(tables: readonly Table[]): string {
  return tables.map(tableMarkdown).join('\n\n')
}

function tableMarkdown(table: Table): string {
  const { title, operation, lines, notMeasured } = table
  const rule = HEAD.map((_, column) => (isNumeric(column) ? '---:' : '---'))
  const rows = [headOf(table), rule, ...lines.map(cellsOf)].map((row) => `| ${row.join(' | ')} |`)
  return [`### ${title}`, `One operation: ${operation}`, rows.join('\n'), `Not measured: ${notMeasured}`].join('\n\n')
}

const isNumeric = (column: number): boolean => column >= 1 && column <= 2
