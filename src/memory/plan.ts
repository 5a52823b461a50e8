// Plan: what a batch does to what is remembered, decided without touching it.
//   P1. The same batch, items and time give the same plan.
//   P2. A change sees what the changes before it in its batch did.
//   P3. A change that refers to an item is in conflict unless the item is as it was when the change was proposed.
import type { BatchEffect, ItemLife, ItemReference, MemoryBatch, MemoryConflict, StagedChange } from './batch.ts'
import { isOver } from './item.ts'
import type { MemoryItem, Tombstone } from './item.ts'
import { endOf } from './retention.ts'
import type { MemoryRetention } from './retention.ts'
import { describeScope, itemKey, scopeNameOf } from './scope.ts'

export interface PlanOptions {
  readonly batch: MemoryBatch
  /** Every item that the batch refers to or whose id or subject it uses; others do no harm. */
  readonly items: readonly MemoryItem[]
  readonly now: number
  readonly retention: MemoryRetention
}

export interface Plan {
  /** The items as they will be, with the number of the change that gives each its vector, if one does. */
  readonly writes: readonly { readonly item: MemoryItem; readonly vectorOf: number | undefined }[]
  readonly effects: readonly BatchEffect[]
  readonly ids: readonly string[]
  readonly conflicts: readonly MemoryConflict[]
}

type Restoration = Extract<StagedChange, { readonly op: 'restore' }>
type Addition = Extract<StagedChange, { readonly op: 'add' | 'supersede' }>

const ALIVE: ItemLife = Object.freeze({ status: 'active', tombstone: undefined })

export function planBatch(options: PlanOptions): Plan {
  const planner = new Planner(options)
  for (const [index, change] of options.batch.changes.entries()) planner.take(change, index)
  return planner.plan()
}

class Planner {
  readonly #batch: MemoryBatch
  readonly #now: number
  readonly #retention: MemoryRetention
  readonly #before = new Map<string, MemoryItem>()
  readonly #items = new Map<string, MemoryItem>()
  readonly #written = new Set<string>()
  readonly #vectors = new Map<string, number>()
  readonly #ids: string[] = []
  readonly #conflicts: MemoryConflict[] = []

  constructor({ batch, items, now, retention }: PlanOptions) {
    this.#batch = batch
    this.#now = now
    this.#retention = retention
    for (const item of items) if (!isOver(item, now)) this.#before.set(itemKey(item.scope, item.id), item)
    for (const [key, item] of this.#before) this.#items.set(key, item)
  }

  take(change: StagedChange, index: number): void {
    switch (change.op) {
      case 'add':
      case 'supersede':
        this.#add(change, index)
        break
      case 'deprecate':
        this.#bury(change.target, index, { reason: change.rationale, supersededBy: undefined })
        break
      case 'restore':
        this.#restore(change, index)
        break
      case 'noop':
        break
      default:
        throw new TypeError(`unknown change ${String(change satisfies never)}`)
    }
  }

  plan(): Plan {
    const written = [...this.#written].flatMap((key) => {
      const item = this.#items.get(key)
      return item === undefined ? [] : [{ key, item }]
    })
    return Object.freeze({
      writes: written.map(({ key, item }) => ({ item, vectorOf: this.#vectors.get(key) })),
      effects: written.map(({ key, item }) => {
        const before = this.#before.get(key)
        return Object.freeze({
          scope: item.scope,
          id: item.id,
          before: before === undefined ? undefined : lifeOf(before),
          after: lifeOf(item),
          version: item.version,
        })
      }),
      ids: Object.freeze([...this.#ids]),
      conflicts: Object.freeze([...this.#conflicts]),
    })
  }

  #add(change: Addition, index: number): void {
    const key = itemKey(change.scope, change.id)
    const taken = this.#items.get(key)
    if (taken !== undefined) {
      const message = `${change.id} is the id of another item of scope ${describeScope(change.scope)}; leave the id out, or supersede that item`
      this.#conflicts.push({ kind: 'taken', change: index, blocking: true, message, item: taken })
      return
    }
    for (const target of change.supersedes) {
      this.#bury(target, index, { reason: change.rationale, supersededBy: change.id })
    }
    const item = this.#itemOf(change)
    this.#claimSubject(item, index)
    this.#write(key, item)
    this.#vectors.set(key, index)
    this.#ids.push(item.id)
  }

  #itemOf(change: Addition): MemoryItem {
    const { id, kind, type, scope, text, data, subject, confidence, rationale, sources } = change
    const { runId, agent, id: batchId } = this.#batch
    const end = change.expiresAt === 'never' ? undefined : (change.expiresAt ?? endOf(this.#retention, kind, this.#now))
    return {
      ...{ id, kind, type, scope, text, data, subject, confidence, rationale, sources },
      supersedes: change.supersedes.map((target) => target.id),
      provenance: { runId, agent, batchId },
      createdAt: this.#now,
      updatedAt: this.#now,
      expiresAt: end,
      ...ALIVE,
      version: 1,
      accessCount: 0,
      accessedAt: undefined,
    }
  }

  #bury(
    target: ItemReference,
    index: number,
    { reason, supersededBy }: Pick<Tombstone, 'reason' | 'supersededBy'>,
  ): void {
    const item = this.#find(target, index)
    if (item === undefined) return
    if (item.status !== 'active') {
      this.#changed(item, target, index)
      return
    }
    const tombstone = { at: this.#now, batchId: this.#batch.id, reason, supersededBy }
    this.#live(item, { status: supersededBy === undefined ? 'deprecated' : 'superseded', tombstone })
  }

  #restore({ target, life, rationale: reason }: Restoration, index: number): void {
    const item = this.#find(target, index)
    if (item === undefined) return
    if (life?.status === 'active') this.#claimSubject(item, index)
    const tombstone = { at: this.#now, batchId: this.#batch.id, reason, supersededBy: undefined }
    this.#live(item, life ?? { status: 'deprecated', tombstone })
  }

  /** The item that is referred to, if it is still as it was then. */
  #find(target: ItemReference, index: number): MemoryItem | undefined {
    const item = this.#items.get(itemKey(target.scope, target.id))
    if (item === undefined) {
      const message = `item ${target.id} is not there; see what is with list() and propose again`
      this.#conflicts.push({ kind: 'gone', change: index, blocking: true, message, id: target.id })
      return undefined
    }
    if (item.version === target.version) return item
    this.#changed(item, target, index)
    return undefined
  }

  #changed(item: MemoryItem, target: ItemReference, index: number): void {
    const by = item.tombstone === undefined ? 'a later batch' : `batch ${item.tombstone.batchId}`
    const message = `item ${target.id} was at version ${target.version} and is ${item.status} at version ${item.version} since ${by}; look at it and propose again`
    this.#conflicts.push({ kind: 'changed', change: index, blocking: true, message, item })
  }

  #claimSubject(item: MemoryItem, index: number): void {
    if (item.subject === undefined) return
    const own = itemKey(item.scope, item.id)
    for (const [key, other] of this.#items) {
      const isRival = other.status === 'active' && other.subject === item.subject && key !== own
      if (!isRival || scopeNameOf(other.scope) !== scopeNameOf(item.scope)) continue
      const message = `item ${other.id} is the active one about "${item.subject}"; supersede it instead`
      this.#conflicts.push({ kind: 'subject', change: index, blocking: true, message, item: other })
    }
  }

  #live(item: MemoryItem, life: ItemLife): void {
    const key = itemKey(item.scope, item.id)
    // One commit is one version, however often the batch comes back to the item.
    const version = (this.#before.get(key)?.version ?? 0) + 1
    this.#write(key, { ...item, ...life, version, updatedAt: this.#now })
  }

  #write(key: string, item: MemoryItem): void {
    this.#items.set(key, Object.freeze(item))
    this.#written.add(key)
  }
}

function lifeOf({ status, tombstone }: MemoryItem): ItemLife {
  return Object.freeze({ status, tombstone })
}

/** The changes that take a committed batch back, the last first. */
export function inverseOf(batch: MemoryBatch, reason: string): readonly StagedChange[] {
  return batch.effects.toReversed().map(({ scope, id, before, version }) => ({
    op: 'restore' as const,
    target: { scope, id, version },
    life: before,
    rationale: reason,
  }))
}
