// Bugs that a store or a recovery could have, to see that the crash test notices each.
import type { Batch, LedgerRecord, Store } from 'callboard'

/** The store with one of the bugs; the store itself without. */
export function withBug(bug: string | undefined, store: Store): Store {
  switch (bug) {
    case undefined:
      return store
    case 'acknowledge-before-append':
      return acknowledgingEarly(store)
    case 'no-fsync':
      return neverForcing(store)
    case 'double-apply':
      return applyingTwice(store)
    default:
      throw new TypeError(`unknown bug ${bug}`)
  }
}

/** Says that a batch is stored, and stores it a moment later. */
function acknowledgingEarly(store: Store): Store {
  let behind = Promise.resolve()
  const later = (batches: readonly Batch[]): void => {
    behind = behind.then(() => new Promise<void>((resolve) => setTimeout(resolve, 2))).then(() => store.append(batches))
  }
  return delegate(store, {
    append: (batches) => {
      later(batches)
      return Promise.resolve()
    },
    close: () => behind.then(() => store.close()),
  })
}

const CACHE_MS = 8

/**
 * Keeps what it has acknowledged in a cache and writes it out now and then. The cache dies with the process, as the one
 * of an operating system does with its machine: so a store behaves for which nothing is forced to disk.
 */
function neverForcing(store: Store): Store {
  let cached: Batch[] = []
  const writeOut = async (): Promise<void> => {
    const batches = cached
    cached = []
    for (const batch of batches) await store.append([batch])
  }
  const timer = setInterval(() => void writeOut(), CACHE_MS)
  return delegate(store, {
    append: (batches) => {
      cached.push(...batches)
      return Promise.resolve()
    },
    close: async () => {
      clearInterval(timer)
      await writeOut()
      await store.close()
    },
  })
}

/** What is read back holds the last update's items twice, as if it had been applied once more. */
function applyingTwice(store: Store): Store {
  return delegate(store, {
    read: async (runId, options) => (await store.read(runId, options)).map(doubled),
  })
}

function doubled(record: LedgerRecord): LedgerRecord {
  return {
    ...record,
    changes: record.changes.map((change) =>
      change.key === 'items' && Array.isArray(change.cell.entry.value) && change.cell.entry.value.length > 0
        ? {
            ...change,
            cell: {
              ...change.cell,
              entry: { ...change.cell.entry, value: [...change.cell.entry.value, change.cell.entry.value.at(-1)] },
            },
          }
        : change,
    ),
  }
}

function delegate(store: Store, own: Partial<Store>): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Object.hasOwn(own, name) ? own[name as keyof Store] : Reflect.get(target, name)
      return typeof member === 'function' && !Object.hasOwn(own, name) ? member.bind(target) : member
    },
  })
}
