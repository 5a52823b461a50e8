// Redact: what is shown of stored data. Values of sensitive entries are not, wherever they stand, and neither is what looks
// like a secret.
import { holdsSecret, isPlainObject } from '../base/index.ts'
import type { Cell } from '../context/index.ts'
import { recordToLine } from '../ledger/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'

const HIDDEN = '(sensitive)'
/** Shorter texts stand in too many other places. */
const SHORTEST_KNOWN = 4

type Named = Readonly<Record<string, unknown>>

/** What an update asked, without the values for some keys. */
function hideValues(asked: unknown, keys: ReadonlySet<string>): unknown {
  const { changes } = (asked ?? {}) as { readonly changes?: unknown }
  if (keys.size === 0 || !Array.isArray(changes)) return asked
  const hidden = changes.map((change: unknown) => {
    const isHidden = isPlainObject(change) && 'value' in change && keys.has(String(change['key']))
    return isHidden ? { ...change, value: HIDDEN } : change
  })
  return { ...(asked as Named), changes: hidden }
}

export class Redactor {
  readonly #known = new Set<string>()

  /** Learns the texts in sensitive entries: they are hidden in inputs, results and messages too. */
  learn(cells: Iterable<Pick<Cell, 'entry'>>): void {
    for (const { entry } of cells) if (entry.sensitive) this.#collect(entry.value)
  }

  /** The value of an entry as it may be shown. */
  valueOf({ entry }: Pick<Cell, 'entry'>): unknown {
    return entry.sensitive ? HIDDEN : this.hide(entry.value, entry.key)
  }

  /** A copy of some data without what is sensitive. @param name what it stands under */
  hide(value: unknown, name?: string): unknown {
    if (typeof value === 'string') return this.text(value, name)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item) => this.hide(item, name))
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [this.hide(key), this.hide(item)]))
    if (value instanceof Set) return new Set([...value].map((item) => this.hide(item, name)))
    if (value instanceof Date || ArrayBuffer.isView(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.hide(item, key)]))
  }

  text(text: string, name?: string): string {
    if (holdsSecret(text, name)) return HIDDEN
    let shown = text
    for (const known of this.#known) shown = shown.replaceAll(known, HIDDEN)
    return shown
  }

  /** A record as named JSON data. */
  record(record: LedgerRecord): Named {
    const { hash: _hash, ...line } = JSON.parse(recordToLine(record, '')) as Named
    const isSensitive = record.changes.map(({ cell }) => cell.entry.sensitive)
    const sensitive = new Set(record.changes.filter((_change, index) => isSensitive[index]).map(({ key }) => key))
    const changes = (line['changes'] as readonly Named[]).map((change, index) =>
      isSensitive[index] === true && 'value' in change ? { ...change, value: HIDDEN } : change,
    )
    const conflicts = (line['conflicts'] as readonly Named[]).map((conflict) =>
      sensitive.has(String(conflict['key']))
        ? { ...conflict, base: HIDDEN, theirs: HIDDEN, mine: HIDDEN, result: HIDDEN }
        : conflict,
    )
    const asked = hideValues(line['asked'], sensitive)
    return this.hide({ ...line, asked, changes, conflicts }) as Named
  }

  #collect(value: unknown): void {
    if (typeof value === 'string') {
      if (value.length >= SHORTEST_KNOWN) this.#known.add(value)
    } else if (value instanceof Map) for (const item of value.values()) this.#collect(item)
    else if (Array.isArray(value) || value instanceof Set) for (const item of value) this.#collect(item)
    else if (typeof value === 'object' && value !== null) for (const item of Object.values(value)) this.#collect(item)
  }
}
