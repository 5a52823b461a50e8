// DurableContext: what an orchestrator knows, read like a dictionary; a run of the workflow `context`.
//   C1. A name is in one place: protected, plain or ephemeral, however many write at once. What is protected stays there;
//       setting anything else moves it.
//   C2. Every change is one update, stored before it is acknowledged; what is refused changes nothing.
//   C3. Of a phase that fails nothing is merged.
import { CallboardError, drop, exportLedger, isCallboardError, put } from 'callboard'
import type { Accepted, LogLine, Point, Restored, Run, RunExport, Runtime, SnapshotInfo } from 'callboard'
import { keyOf, PLACES, placeOf } from './board.ts'
import type { DurableContextValues, Place } from './board.ts'

/** Names with their values. Frozen, through and through. */
export type ContextData = Readonly<Record<string, unknown>>

export interface SetOptions {
  /** It cannot be overwritten or deleted from then on. */
  readonly protected?: boolean
  /** It is never stored, and gone at the end of the phase, or with the process. */
  readonly ephemeral?: boolean
}

export interface MergeOptions {
  /**
   * `update` (the default) overwrites and adds, `safe` only adds what is new, `deep` merges objects key by key, `replace`
   * makes this the whole context but for what is protected, `prefixed` adds all of it under names with a prefix.
   */
  readonly policy?: 'update' | 'safe' | 'deep' | 'replace' | 'prefixed'
  readonly prefix?: string
}

/** `safe` unless given. */
export type PhaseOptions = MergeOptions

export interface DurableContextFields {
  readonly runtime: Runtime
  /** The runtime is its own, and closed with it. */
  readonly ownsRuntime: boolean
  readonly run: ContextRun
  /** Names that are protected as soon as they are set. */
  readonly protectedNames: ReadonlySet<string>
  /** Changes after which a checkpoint is taken, counted since it was opened; `Infinity` for none. */
  readonly checkpointEvery: number
}

type ContextRun = Run<unknown, DurableContextValues>
type Writes = Record<string, unknown>

const CHECKPOINT = 'checkpoint'
const BY = 'orchestrator'
/** Each time another process was faster; who loses so often is told of the last. */
const MOST_TRIES = 1_000

export class DurableContext {
  readonly #fields: DurableContextFields
  #run: ContextRun
  #changes = 0
  #writing: Promise<unknown> = Promise.resolve()

  /** Use `openContext`. */
  constructor(fields: DurableContextFields) {
    this.#fields = fields
    this.#run = fields.run
  }

  get id(): string {
    return this.run.id
  }

  /** The run it is: its log, its history, its conflicts. Another object after what other processes wrote was read. */
  get run(): ContextRun {
    return this.#run
  }

  /** Goes up with everything that happens, and never back. */
  get version(): number {
    return this.run.seq
  }

  /** The value of a name, or `otherwise` where it is not there. */
  get<Value = unknown>(name: string): Value | undefined
  get<Value>(name: string, otherwise: Value): Value
  get(name: string, otherwise?: unknown): unknown {
    const place = this.#placeOf(name)
    return place === undefined ? otherwise : this.run.get(keyOf(place, name))
  }

  /** @throws CallboardError `context.absent` */
  getOrThrow<Value = unknown>(name: string): Value {
    if (this.has(name)) return this.get(name) as Value
    const message = `context ${this.id} has no "${name}"; set it, or read it with get(name, otherwise)`
    throw new CallboardError('context.absent', message, { contextId: this.id, name })
  }

  has(name: string): boolean {
    return this.#placeOf(name) !== undefined
  }

  /** The names that are there, in order. */
  keys(): readonly string[] {
    return this.#entries().map(([name]) => name)
  }

  /** Names with their values, in order. */
  *[Symbol.iterator](): IterableIterator<readonly [name: string, value: unknown]> {
    yield* this.#entries()
  }

  /** Everything that is there. */
  toObject(): ContextData {
    return Object.freeze(Object.fromEntries(this.#entries()))
  }

  /** Sets one name. What is protected takes the value it has, and no other. @throws CallboardError `update.refused` */
  async set(name: string, value: unknown, options: SetOptions = {}): Promise<void> {
    await this.#write(() => this.#writesOf(name, value, this.#placeFor(name, options)))
  }

  /** Merges names in one update. @throws CallboardError `update.refused` where one of them is protected, `context.prefix` */
  async update(data: ContextData, { policy = 'update', prefix = '' }: MergeOptions = {}): Promise<void> {
    await this.#write(() => this.#merging(data, { policy, prefix }))
  }

  /** Whether there was one. @throws CallboardError `update.refused` for one that is protected */
  delete(name: string): Promise<boolean> {
    return this.#write(() => {
      const place = this.#placeOf(name) ?? (this.#fields.protectedNames.has(name) ? 'protected' : undefined)
      return place === undefined ? {} : { [keyOf(place, name)]: drop() }
    })
  }

  /** Forgets everything that is ephemeral, in one update. */
  async clearEphemeral(): Promise<void> {
    await this.#write(() => this.#withoutEphemeral())
  }

  /**
   * Runs a phase on a frozen picture of the context and merges what it gives: with a snapshot `before_<name>` and one
   * `after_<name>` that says how it went. What is ephemeral is gone after it.
   * @throws what the phase throws, of which nothing is merged
   */
  async phase<Result extends ContextData | undefined>(
    name: string,
    work: (context: ContextData) => Result | Promise<Result>,
    { policy = 'safe', prefix = '' }: PhaseOptions = {},
  ): Promise<Result> {
    await this.snapshot(`before_${name}`)
    let result: Result
    try {
      result = await work(this.toObject())
      const merged = result ?? {}
      await this.#write(() => ({ ...this.#withoutEphemeral(), ...this.#merging(merged, { policy, prefix }) }))
    } catch (error) {
      await this.clearEphemeral()
      await this.snapshot(`after_${name}`, { status: 'failed' })
      throw error
    }
    await this.snapshot(`after_${name}`, { status: 'done' })
    return result
  }

  /** Reads what other processes have written. */
  async refresh(): Promise<void> {
    this.#run = (await this.#fields.runtime.open(this.id)) as unknown as ContextRun
  }

  /** Names this point of its history. */
  snapshot(reason: string, metadata: SnapshotInfo['metadata'] = {}): Promise<SnapshotInfo> {
    return this.run.snapshot(reason, metadata)
  }

  snapshots(): readonly SnapshotInfo[] {
    return this.run.snapshots()
  }

  /** Goes back to a point, the newest snapshot unless given, by an update: versions go on. What is protected stays. */
  restore(point?: Point): Promise<Restored> {
    return this.run.restore(point)
  }

  /** Everything that was there at a point, but for what was ephemeral. */
  async at(point: Point): Promise<ContextData> {
    const stored = (await this.run.at(point)).entries().filter(({ ephemeral }) => !ephemeral)
    return Object.freeze(Object.fromEntries(byName(stored)))
  }

  /** Who changed what, and when. */
  log(): Promise<readonly LogLine[]> {
    return this.run.log()
  }

  /** Everything as plain JSON, secrets redacted. */
  export(): Promise<RunExport> {
    return this.run.export()
  }

  /** Everything with its types and its whole history, as JSON lines: `importLedger` puts it into another store. */
  exportLedger(): Promise<string> {
    return exportLedger(this.#fields.runtime.store, this.id)
  }

  /** Ends it all but the context, which is there for the next one that opens it. Twice is harmless. */
  async close(): Promise<void> {
    if (this.#fields.ownsRuntime) await this.#fields.runtime.close({ runs: 'keep' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #entries(): readonly (readonly [string, unknown])[] {
    return byName(this.run.entries())
  }

  #placeOf(name: string): Place | undefined {
    return PLACES.find((place) => this.run.entry(keyOf(place, name)) !== undefined)
  }

  #placeFor(name: string, { protected: isProtected = false, ephemeral = false }: SetOptions = {}): Place {
    if (isProtected && ephemeral) {
      const message = `"${name}" cannot be protected and ephemeral at once; what is ephemeral goes`
      throw new CallboardError('context.flags', message, { name })
    }
    if (isProtected || this.#fields.protectedNames.has(name) || this.#placeOf(name) === 'protected') return 'protected'
    return ephemeral ? 'ephemeral' : 'data'
  }

  /** What is where the name is not to be any more goes in the same update. */
  #writesOf(name: string, value: unknown, place: Place): Writes {
    const known = this.#placeOf(name)
    const moved = known === undefined || known === place ? {} : { [keyOf(known, name)]: drop() }
    return { ...moved, [keyOf(place, name)]: value }
  }

  #merging(data: ContextData, { policy, prefix }: Required<MergeOptions>): Writes {
    if (policy === 'prefixed' && prefix === '') {
      const message = "policy prefixed needs a prefix: update(…, { policy: 'prefixed', prefix: 'phase1.' })"
      throw new CallboardError('context.prefix', message)
    }
    const named = Object.entries(data).map(
      ([name, value]) => [policy === 'prefixed' ? prefix + name : name, value] as const,
    )
    const writes = named.flatMap(([name, value]) => {
      if (policy === 'safe' && this.has(name)) return []
      const known = this.#placeOf(name)
      if (policy === 'deep' && known !== undefined) return [{ [keyOf(known, name)]: put(value, { policy: 'deep' }) }]
      return [this.#writesOf(name, value, known === 'ephemeral' ? 'ephemeral' : this.#placeFor(name))]
    })
    const dropped = policy === 'replace' ? this.#others(new Set(named.map(([name]) => name))) : {}
    return Object.assign({}, dropped, ...writes) as Writes
  }

  /** Takes away what is not named and may go. */
  #others(named: ReadonlySet<string>): Writes {
    const others = this.run.entries().filter(({ key }) => {
      const known = placeOf(key)
      return known !== undefined && known.place !== 'protected' && !named.has(known.name)
    })
    return Object.fromEntries(others.map(({ key }) => [key, drop()]))
  }

  #withoutEphemeral(): Writes {
    const gone = this.run.entries().filter(({ key }) => placeOf(key)?.place === 'ephemeral')
    return Object.fromEntries(gone.map(({ key }) => [key, drop()]))
  }

  /** One after the other, each made of what the one before left; says whether something was changed. */
  #write(make: () => Writes): Promise<boolean> {
    const written = this.#writing.then(() => this.#writeNow(make))
    this.#writing = written.catch(() => {})
    return written
  }

  async #writeNow(make: () => Writes): Promise<boolean> {
    const { versions } = await this.#updateFresh(make)
    if (Object.keys(versions).length === 0) return false
    this.#changes += 1
    if (this.#changes % this.#fields.checkpointEvery === 0) await this.snapshot(CHECKPOINT)
    return true
  }

  /** On what is stored; again where another process was faster, and not for ever. */
  async #updateFresh(make: () => Writes): Promise<Accepted> {
    for (let tries = 1; ; tries++) {
      if (this.#fields.runtime.store.traits.shared) await this.refresh()
      try {
        return await this.run.update(make() as never, { by: BY })
      } catch (error) {
        if (!isCallboardError(error, 'store.conflict') || tries === MOST_TRIES) throw error
      }
    }
  }
}

function byName(entries: readonly { readonly key: string; readonly value: unknown }[]): (readonly [string, unknown])[] {
  return entries
    .flatMap(({ key, value }) => {
      const known = placeOf(key)
      return known === undefined ? [] : [[known.name, value] as const]
    })
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
}
