// Writers: which commit wrote which version of which entry, so that whoever reads it can be linked to it.
import type { SpanContext } from '@opentelemetry/api'
import type { LedgerRecord } from '../ledger/index.ts'

/** Versions that can still be linked to; the oldest are forgotten. */
const MOST_VERSIONS = 10_000
/** Whose global entries are read by every run. */
const EVERYBODY = ''

export class Writers {
  readonly #commits = new Map<string, SpanContext>()

  /** A commit is known by its span from now on. */
  note({ runId, changes }: Pick<LedgerRecord, 'runId' | 'changes'>, context: SpanContext): void {
    for (const { key, scope, cell } of changes) {
      const holder = scope === 'global' ? EVERYBODY : runId
      this.#set(nameOf(holder, key, cell.entry.version), context)
      this.#set(nameOf(holder, key), context)
    }
  }

  /** Who wrote what was read; the newest version where none is given. Each commit once. */
  of(runId: string, read: readonly { readonly key: string; readonly version?: number }[]): readonly SpanContext[] {
    const found = read.flatMap(
      ({ key, version }) =>
        this.#commits.get(nameOf(runId, key, version)) ?? this.#commits.get(nameOf(EVERYBODY, key, version)) ?? [],
    )
    return [...new Set(found)]
  }

  #set(name: string, context: SpanContext): void {
    this.#commits.delete(name)
    this.#commits.set(name, context)
    const [oldest] = this.#commits.keys()
    if (this.#commits.size > MOST_VERSIONS && oldest !== undefined) this.#commits.delete(oldest)
  }
}

function nameOf(holder: string, key: string, version?: number): string {
  return JSON.stringify([holder, key, version ?? 'newest'])
}
