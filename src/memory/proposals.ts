// Proposals: propose, review, commit and take back, for one reader.
//   B1. Nothing that is only proposed is found by a search.
//   B2. A batch belongs to the run that proposed it; to everybody else, and to readers who are not in all of its scopes,
//       it does not exist.
//   B3. A commit is all or nothing, and committing again gives the same answer and does nothing.
//   B4. A batch in conflict with what is remembered is refused, with what stands against it.
import { createHash } from 'node:crypto'
import { canonicalJson, CallboardError, isCallboardError } from '../base/index.ts'
import { scopesOfBatch } from './batch.ts'
import type { BatchReview, CommitResult, ItemReference, MemoryBatch, MemoryConflict, StagedChange } from './batch.ts'
import { checkChanges, invalidChange } from './change.ts'
import type { CheckedChange, MemoryChange } from './change.ts'
import { assertEmbedder, embedTexts } from './embedder.ts'
import { isOver } from './item.ts'
import type { MemoryItem } from './item.ts'
import { inverseOf, planBatch } from './plan.ts'
import type { Plan } from './plan.ts'
import { describeScope, itemKey, scopeNameOf } from './scope.ts'
import type { MemoryScope, MemoryScopeKind, ReaderAccess } from './scope.ts'
import type { MemoryServices } from './services.ts'
import { batchExists } from './store.ts'

export interface ProposeOptions {
  /** Proposing again under the same key, in the same run, gives the batch that is there already. */
  readonly key?: string
  readonly signal?: AbortSignal
}

/** How near a text must be to one that is remembered to be shown beside it. */
const SIMILAR_AT = 0.8
const MOST_SIMILAR = 3
/** A commit that loses a race starts again; after so many, something else is wrong. */
const MOST_ATTEMPTS = 50

type Draft = Pick<MemoryBatch, 'changes' | 'fingerprint' | 'reverts'>

export class Proposals {
  readonly #services: MemoryServices
  readonly #access: ReaderAccess

  constructor(services: MemoryServices, access: ReaderAccess) {
    this.#services = services
    this.#access = access
  }

  async propose(changes: readonly MemoryChange[], { key, signal }: ProposeOptions = {}): Promise<MemoryBatch> {
    const checked = checkChanges(changes)
    const fingerprint = hashOf(canonicalJson(checked))
    const id = key === undefined ? this.#services.ids.next('batch') : keyedId(this.#access.runId, key)
    const known = key === undefined ? undefined : await this.#services.store.batch(id)
    if (known !== undefined) return sameBatch(known, fingerprint)
    const staged = await this.#resolve(checked)
    return this.#stage(id, { changes: staged, fingerprint, reverts: undefined }, signal)
  }

  async batchOf(key: string): Promise<MemoryBatch | undefined> {
    const batch = await this.#services.store.batch(keyedId(this.#access.runId, key))
    return batch !== undefined && this.#isOwn(batch) ? batch : undefined
  }

  /** Stages a batch that takes a committed one back. */
  async proposeRevert(batchId: string, { rationale }: { readonly rationale?: string } = {}): Promise<MemoryBatch> {
    const batch = await this.#services.store.batch(batchId)
    if (batch?.status !== 'committed' || !this.#mayTouch(batch)) throw unknownBatch(batchId)
    const changes = inverseOf(batch, rationale ?? `takes back ${batchId}`)
    const fingerprint = hashOf(canonicalJson(changes))
    return this.#stage(this.#services.ids.next('batch'), { changes, fingerprint, reverts: batchId }, undefined)
  }

  async review(batchId: string): Promise<BatchReview> {
    const batch = await this.#own(batchId)
    if (batch.status === 'committed') {
      const keys = batch.effects.map(({ scope, id }) => itemKey(scope, id))
      const items = await this.#services.store.load(keys)
      return Object.freeze({ batch, items, conflicts: Object.freeze([]), canCommit: true })
    }
    const { writes, conflicts } = await this.#plan(batch)
    return Object.freeze({
      batch,
      items: Object.freeze(writes.map(({ item }) => item)),
      conflicts: Object.freeze([...conflicts, ...(await this.#similar(batch))]),
      canCommit: conflicts.every(({ blocking }) => !blocking),
    })
  }

  commit(batchId: string): Promise<CommitResult> {
    return this.#services.inTurn(() => this.#commit(batchId))
  }

  async discard(batchId: string): Promise<boolean> {
    const batch = await this.#services.store.batch(batchId)
    if (batch === undefined || !this.#isOwn(batch)) return false
    return this.#services.store.discard(batchId)
  }

  async #commit(batchId: string): Promise<CommitResult> {
    for (let attempt = 1; ; attempt++) {
      const batch = await this.#own(batchId)
      if (batch.status === 'committed') return committed(batch, true)
      const result = await this.#tryCommit(batch).catch((error: unknown) => {
        if (!isCallboardError(error, 'memory.conflict') || attempt === MOST_ATTEMPTS) throw error
      })
      if (result !== undefined) return result
    }
  }

  async #tryCommit(batch: MemoryBatch): Promise<CommitResult> {
    const { store, clock, embedder } = this.#services
    // Read first: whatever is committed after it makes the apply start again.
    const { revision, embedder: known } = await store.state()
    assertEmbedder(known, embedder)
    const { writes, effects, ids, conflicts } = await this.#plan(batch)
    const blocking = conflicts.filter((conflict) => conflict.blocking)
    if (blocking.length > 0) {
      return Object.freeze({ kind: 'refused', batchId: batch.id, conflicts: Object.freeze(blocking) })
    }
    const vectors = await this.#vectorsOf(batch)
    const after: MemoryBatch = Object.freeze({
      ...batch,
      status: 'committed',
      committedAt: clock.now(),
      effects,
      ids,
      embedder: embedder.id,
      // They are the items' from now on.
      vectors: Object.freeze([]),
    })
    await store.apply({
      expectedRevision: revision,
      batch: after,
      writes: writes.map(({ item, vectorOf }) => {
        const vector = vectorOf === undefined ? undefined : vectors[vectorOf]
        return vector === undefined ? { item } : { item, vector }
      }),
    })
    return committed(after, false)
  }

  /** A batch may have been proposed before the embedder was another one. */
  async #vectorsOf(batch: MemoryBatch): Promise<readonly (Float32Array | undefined)[]> {
    const { embedder } = this.#services
    return batch.embedder === embedder.id ? batch.vectors : this.#embed(batch.changes, undefined)
  }

  async #embed(
    changes: readonly StagedChange[],
    signal: AbortSignal | undefined,
  ): Promise<readonly (Float32Array | undefined)[]> {
    const { store, embedder } = this.#services
    const texts = changes.flatMap((change) => ('text' in change ? [change.text] : []))
    const { embedder: known } = await store.state()
    assertEmbedder(known, embedder)
    const vectors = [...(await embedTexts(embedder, texts, { dimensions: known?.dimensions, signal }))]
    return changes.map((change) => ('text' in change ? vectors.shift() : undefined))
  }

  async #stage(id: string, draft: Draft, signal: AbortSignal | undefined): Promise<MemoryBatch> {
    const { store, embedder, clock } = this.#services
    const batch: MemoryBatch = Object.freeze({
      id,
      runId: this.#access.runId,
      agent: this.#access.agent,
      status: 'staged',
      proposedAt: clock.now(),
      committedAt: undefined,
      ...draft,
      effects: Object.freeze([]),
      ids: Object.freeze([]),
      embedder: embedder.id,
      vectors: Object.freeze(await this.#embed(draft.changes, signal)),
    })
    // A revert of what was changed since is staged and shown; a change of what never was is a mistake.
    if (draft.reverts === undefined) assertSound((await this.#plan(batch)).conflicts)
    try {
      await store.stage(batch)
    } catch (error) {
      const known = isCallboardError(error, 'memory.batch-exists') ? await store.batch(id) : undefined
      if (known === undefined) throw error
      return sameBatch(known, draft.fingerprint)
    }
    return batch
  }

  async #plan(batch: MemoryBatch): Promise<Plan> {
    const { store, clock, retention } = this.#services
    const keys = batch.changes.flatMap((change) => {
      if (change.op === 'noop') return []
      if (change.op === 'deprecate' || change.op === 'restore') return [itemKey(change.target.scope, change.target.id)]
      return [itemKey(change.scope, change.id), ...change.supersedes.map(({ scope, id }) => itemKey(scope, id))]
    })
    const now = clock.now()
    const named = await store.load([...new Set(keys)])
    const restored = named.flatMap(({ subject }) => (subject === undefined ? [] : [subject]))
    const added = batch.changes.flatMap((change) => ('subject' in change && change.subject ? [change.subject] : []))
    const subjects = [...new Set([...restored, ...added])]
    const scopes = uniqueScopes(scopesOfBatch(batch))
    const rivals = subjects.length === 0 ? [] : await store.list({ scopes, now, statuses: ['active'], subjects })
    return planBatch({ batch, items: [...named, ...rivals], now, retention })
  }

  /** What is remembered near the texts of a batch: perhaps the same, perhaps the opposite. */
  async #similar(batch: MemoryBatch): Promise<readonly MemoryConflict[]> {
    const { store, clock } = this.#services
    const vectors = await this.#vectorsOf(batch)
    const conflicts: MemoryConflict[] = []
    for (const [index, change] of batch.changes.entries()) {
      const vector = vectors[index]
      if (vector === undefined || !('text' in change)) continue
      const replaced = new Set(change.supersedes.map(({ scope, id }) => itemKey(scope, id)))
      const filter = { scopes: [change.scope], now: clock.now(), statuses: ['active'] as const }
      const limit = MOST_SIMILAR + replaced.size
      const matches = await store.searchVector(vector, filter, { threshold: SIMILAR_AT, limit })
      const near = matches.filter(({ key }) => !replaced.has(key)).slice(0, MOST_SIMILAR)
      for (const item of await store.load(near.map(({ key }) => key))) {
        const similarity = near.find(({ key }) => key === itemKey(item.scope, item.id))?.score ?? 0
        const message = `item ${item.id} says something near (${similarity.toFixed(2)}); supersede it if this is newer`
        conflicts.push({ kind: 'similar', change: index, blocking: false, message, item, similarity })
      }
    }
    return conflicts
  }

  async #resolve(changes: readonly CheckedChange[]): Promise<readonly StagedChange[]> {
    const added = new Map<string, ItemReference>()
    const staged: StagedChange[] = []
    for (const [index, change] of changes.entries()) {
      if (change.op === 'noop') {
        staged.push(change)
        continue
      }
      if (change.op === 'deprecate') {
        const target = await this.#refer(change.target, index, added)
        staged.push(Object.freeze({ op: 'deprecate', target, rationale: change.rationale }))
        continue
      }
      const scope = this.#writable(change.scope, index)
      const supersedes: ItemReference[] = []
      for (const id of change.op === 'supersede' ? change.supersedes : []) {
        const target = await this.#refer(id, index, added)
        if (scopeNameOf(target.scope) !== scopeNameOf(scope)) {
          const rule = `${id} is of scope ${describeScope(target.scope)}; an item is superseded by one of its own scope, or others would lose it`
          throw invalidChange(index, 'scope', rule)
        }
        supersedes.push(target)
      }
      const id = change.id ?? this.#services.ids.next('mem')
      const { expiresAt, subject, op } = change
      staged.push(
        Object.freeze({ ...change, op, id, scope, supersedes: Object.freeze(supersedes), expiresAt, subject }),
      )
      added.set(id, Object.freeze({ scope, id, version: 1 }))
    }
    return Object.freeze(staged)
  }

  /** The item that a reader means by an id: in the narrowest of its scopes, or one added before in the same batch. */
  async #refer(id: string, index: number, added: ReadonlyMap<string, ItemReference>): Promise<ItemReference> {
    const here = added.get(id)
    if (here !== undefined) return here
    const item = await findItem(this.#services, this.#access, id)
    if (item === undefined) {
      throw new CallboardError(
        'memory.unknown-item',
        `change ${index}: there is no item ${id}; see what there is with list()`,
        { change: index, id },
      )
    }
    this.#writable(item.scope.kind, index)
    return Object.freeze({ scope: item.scope, id, version: item.version })
  }

  #writable(kind: MemoryScopeKind, index: number): MemoryScope {
    const scope = this.#access.scope(kind)
    if (scope === undefined)
      throw invalidChange(index, 'scope', `the reader names no ${kind}, so it is in no such scope`)
    if (!this.#access.mayWrite(scope)) throw invalidChange(index, 'scope', `the reader may not write in scope ${kind}`)
    return scope
  }

  async #own(batchId: string): Promise<MemoryBatch> {
    const batch = await this.#services.store.batch(batchId)
    if (batch === undefined || !this.#isOwn(batch)) throw unknownBatch(batchId)
    return batch
  }

  #isOwn(batch: MemoryBatch): boolean {
    return batch.runId === this.#access.runId && this.#mayTouch(batch)
  }

  #mayTouch(batch: MemoryBatch): boolean {
    return scopesOfBatch(batch).every((scope) => this.#access.mayWrite(scope))
  }
}

/** The item with an id in the narrowest scope of a reader that has one. */
export async function findItem(
  { store, clock }: MemoryServices,
  { scopes }: ReaderAccess,
  id: string,
): Promise<MemoryItem | undefined> {
  const items = await store.load(scopes.map((scope) => itemKey(scope, id)))
  return items.find((item) => !isOver(item, clock.now()))
}

/** Conflicts that no later moment could resolve. */
function assertSound(conflicts: readonly MemoryConflict[]): void {
  const taken = conflicts.find(({ kind }) => kind === 'taken')
  if (taken?.kind !== 'taken') return
  const { change, message, item } = taken
  throw new CallboardError('memory.id-taken', `change ${change}: ${message}`, { change, id: item.id })
}

function sameBatch(known: MemoryBatch, fingerprint: string): MemoryBatch {
  if (known.fingerprint === fingerprint) return known
  throw batchExists(known.id)
}

function committed({ id: batchId, ids }: MemoryBatch, repeated: boolean): CommitResult {
  return Object.freeze({ kind: 'committed', batchId, ids, repeated })
}

function unknownBatch(batchId: string): CallboardError {
  return new CallboardError('memory.unknown-batch', `unknown batch_id ${batchId}: this run has no such batch`, {
    batchId,
  })
}

function keyedId(runId: string, key: string): string {
  return `batch_${hashOf(canonicalJson([runId, key])).slice(0, 32)}`
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function uniqueScopes(scopes: readonly MemoryScope[]): readonly MemoryScope[] {
  return [...new Map(scopes.map((scope) => [scopeNameOf(scope), scope])).values()]
}
