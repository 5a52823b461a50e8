// Replay: goes through a stored run again with today's workflow, record by record, and compares what comes of it with what
// came of it then.
//   Y1. Nothing is done to the world: no agent, action, child run or timer begins, and nothing is stored.
//   Y2. What came from outside (updates, events of agents and people, due timers) is taken from the ledger; what followed
//       from it inside of the machine has to follow again.
//   Y3. A record comes out the same when its changes, its conflicts and the machine's state are the same bytes.
//   Y4. What a record does not tell (a branch, a restore, a policy given as a function) is taken over as it was, and said. So is what
//       comes out otherwise over global entries of another database.
//   Y5. That a process has ended is in no record, and neither is what was ephemeral and went with it. Where a record comes
//       out otherwise, it is tried without what is ephemeral, as after a restart; that counts if it comes out the same.
import type { AnyActorRef, AnyStateMachine } from 'xstate'
import { Deadlines } from '../base/index.ts'
import type { Shelf } from '../context/index.ts'
import type { Board, Cell, EntryAddress } from '../context/index.ts'
import type { LedgerRecord, RecordKind } from '../ledger/index.ts'
import type { Store } from '../store/index.ts'
import { stampOf } from '../workflow/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'
import { actorAt } from './actor-path.ts'
import { bindActors } from './bind-actors.ts'
import { deriveMachine } from './derive-machine.ts'
import { Engine } from './engine.ts'
import type { EngineHost, EngineOrigin } from './engine.ts'
import { invocationName } from './invocation-name.ts'
import { loadRun } from './load-run.ts'
import type { MachineSnapshot } from './machine-snapshot.ts'
import { PhaseMarks } from './phase-marks.ts'
import { compareMachine, compareRecords, machineText, nothingMade, oneTooMany } from './replay-difference.ts'
import type { ReplayDifference } from './replay-difference.ts'
import { causeOf, readReplaySource } from './replay-source.ts'
import type { ReplaySource } from './replay-source.ts'
import { remakeEvent, remakeUpdate } from './replay-update.ts'
import type { EventLine } from './replay-update.ts'
import { definitionOf } from './runtime-errors.ts'
import type { Turn } from './turn.ts'

export interface ReplayOptions {
  readonly store: Store
  /** The workflow as it is today. */
  readonly workflow: AnyStateMachine
  readonly runId: string
  /** Whose global entries the run shares; `default` unless given. */
  readonly tenant?: string
}

/** What a replay came to. */
export interface ReplayReport {
  readonly runId: string
  /** The records that came out the same. */
  readonly records: number
  /** What could not be done again and was taken over as it was. */
  readonly takenOver: readonly { readonly seq: number; readonly why: string }[]
  /** The first record that came out otherwise; undefined where all are the same. */
  readonly difference: ReplayDifference | undefined
}

/**
 * Executes again what a stored run was asked, and compares.
 *
 * @throws CallboardError what the store throws; `run.trimmed` where neither the first records nor a snapshot are kept
 */
export async function replayRun(options: ReplayOptions): Promise<ReplayReport> {
  const { store, workflow, runId, tenant } = options
  const source = await readReplaySource(store, runId, { definition: definitionOf(workflow), tenant })
  return new Replay(options, source).run()
}

class Replay {
  readonly #options: ReplayOptions
  readonly #definition: WorkflowDefinition
  /** The seq of the first record. */
  readonly #firstSeq: number
  readonly #records: readonly LedgerRecord[]
  readonly #globalRecords: readonly LedgerRecord[]
  readonly #foreign: ReadonlySet<number>
  readonly #takenOver: { readonly seq: number; readonly why: string }[] = []
  readonly #versions = new Map<string, Map<number, Cell>>()
  #engine: Engine | undefined
  #globals: Shelf
  readonly #firstGlobals: Shelf
  #nextGlobal = 0
  #invocations = 0
  /** What the engine has made and was not compared yet. */
  #made: Turn[] = []
  #failure: unknown
  #machine = ''
  /** Ephemeral entries of which the state that was taken over does not say whether they were there. */
  readonly #unknown = new Set<string>()
  /** How it was before what was asked last. */
  #begun: Beginning
  /** What was otherwise, while it is tried without what was ephemeral. */
  #doubt: { readonly index: number; readonly difference: ReplayDifference } | undefined

  constructor(options: ReplayOptions, source: ReplaySource) {
    const { afterSeq, passedOver, records, globals, globalRecords, foreign } = source
    this.#options = options
    this.#definition = definitionOf(options.workflow)
    this.#firstSeq = afterSeq + 1
    this.#records = records
    this.#globals = this.#firstGlobals = globals
    this.#globalRecords = globalRecords
    this.#foreign = foreign
    this.#begun = { index: 0, board: undefined, globals, nextGlobal: 0, takenOver: 0 }
    if (passedOver) this.#takenOver.push({ seq: afterSeq, why: 'the global entries of until then were dropped' })
  }

  async run(): Promise<ReplayReport> {
    if (this.#firstSeq > 1) await this.#goOnFrom(this.#firstSeq - 1, 'unknown')
    let done = 0
    while (done < this.#records.length || this.#made.length > 0) {
      if (this.#made.length === 0) this.#noteBeginning(done)
      const difference = await this.#replayAt(done)
      if (difference !== undefined) {
        if (this.#doubt !== undefined) return this.#report(this.#doubt.index, this.#doubt.difference)
        if (!this.#begun.board?.holdsEphemerals) return this.#report(done, difference)
        this.#doubt = { index: done, difference }
        done = await this.#goBack()
        continue
      }
      if (this.#doubt?.index === done) this.#endDoubt()
      done += 1
    }
    return this.#report(done, undefined)
  }

  /** The one that is asked for may be one more than there are. */
  async #replayAt(index: number): Promise<ReplayDifference | undefined> {
    const record = this.#records[index]
    if (record === undefined) return oneTooMany(this.#made[0]?.record)
    const difference = await this.#replay(record)
    if (difference !== undefined && this.#isUnknown(record, difference.key)) {
      await this.#takeOver(record, 'what was ephemeral before is not known', 'unknown')
    } else if (difference !== undefined && this.#foreign.has(record.seq)) {
      await this.#takeOver(record, 'the global entries that it saw are not known here', 'unknown')
    } else if (difference !== undefined) return difference
    this.#learn(record)
    return undefined
  }

  #noteBeginning(index: number): void {
    const board = this.#engine?.board
    this.#begun = {
      index,
      board,
      globals: this.#globals,
      nextGlobal: this.#nextGlobal,
      takenOver: this.#takenOver.length,
    }
  }

  /** To before what was asked last, as a process finds it that begins there (Y5). */
  async #goBack(): Promise<number> {
    const { index, globals, nextGlobal, takenOver } = this.#begun
    this.#globals = globals
    this.#nextGlobal = nextGlobal
    this.#takenOver.splice(takenOver)
    this.#failure = undefined
    await this.#goOnFrom(this.#firstSeq + index - 1, 'lost')
    return index
  }

  #endDoubt(): void {
    const seq = this.#firstSeq + this.#begun.index
    this.#takenOver.push({ seq, why: 'what was ephemeral was lost with a process that had ended' })
    this.#doubt = undefined
  }

  /** It was there, or was not, where the state was taken over as it is stored. */
  #isUnknown({ changes }: LedgerRecord, key: string | undefined): boolean {
    return changes.some((change) => change.key === key && this.#unknown.has(idOf(change)))
  }

  async #takeOver({ seq, changes }: LedgerRecord, why: string, ephemerals: Ephemerals): Promise<void> {
    this.#takenOver.push({ seq, why })
    this.#failure = undefined
    this.#globals = this.#globals.with(changes.filter(({ scope }) => scope === 'global').map(({ cell }) => cell))
    await this.#goOnFrom(seq, ephemerals)
  }

  #report(records: number, difference: ReplayDifference | undefined): ReplayReport {
    const { runId } = this.#options
    return Object.freeze({ runId, records, takenOver: Object.freeze([...this.#takenOver]), difference })
  }

  async #replay(record: LedgerRecord): Promise<ReplayDifference | undefined> {
    const { seq } = record
    this.#globals = this.#globalsAt(record)
    if (this.#made.length === 0) {
      const why = await this.#do(record)
      if (why !== undefined) {
        // A process that goes on with another's run has nothing of what was ephemeral.
        await this.#takeOver(record, why, record.kind === 'event' ? 'unknown' : 'lost')
        return undefined
      }
    }
    if (this.#failure !== undefined) {
      const { message = String(this.#failure) } = this.#failure as { readonly message?: string }
      return { seq, key: undefined, message: `the workflow fails now: ${message}` }
    }
    const made = this.#made.shift()
    if (made === undefined) return SILENT_KINDS.has(record.kind) ? undefined : nothingMade(record)
    return compareRecords(record, made.record) ?? this.#compareMachine(record, made.snapshot)
  }

  /** Lets the engine do what a record says was asked. Gives the reason where it cannot. */
  async #do(record: LedgerRecord): Promise<string | undefined> {
    const { kind, author, asked } = record
    switch (kind) {
      case 'start':
        if ('forkedFrom' in (asked as object)) return 'it was forked from another run'
        this.#engine = this.#createEngine({ input: (asked as { readonly input?: unknown }).input })
        this.#engine.start().catch((error: unknown) => (this.#failure = error))
        break
      case 'update':
        this.#doUpdate(record)
        break
      case 'event':
      case 'upkeep':
        if ((asked as EventLine).isPartial === true) return 'the event was not plain data'
        this.#doEvent(record)
        if ((asked as EventLine).isTaken !== false) break
        await this.#settled()
        if (this.#made.length === 0) this.#engine?.append(kind, author, asked).catch(() => {})
        break
      case 'definition':
        return 'the definition was changed, and the state migrated'
      case 'unpack':
        return 'it came out of a pack'
      case 'refusal':
      case 'step':
      case 'request':
      case 'snapshot':
      case 'wait':
      case 'end':
        this.#engine?.append(kind, author, asked, record.refusals).catch(() => {})
        break
      default:
        throw new TypeError(`unknown kind of record ${String(kind satisfies never)}`)
    }
    await this.#settled()
    return undefined
  }

  #doUpdate(record: LedgerRecord): void {
    const { catalogue } = this.#definition
    const versionOf = (address: EntryAddress, version: number): Cell | undefined =>
      this.#versions.get(idOf(address))?.get(version)
    const remade = remakeUpdate(record, { catalogue, versionOf })
    if ('why' in remade) this.#takenOver.push({ seq: record.seq, why: remade.why })
    this.#engine?.update(
      remade.update,
      () => {},
      (error) => (this.#failure = error),
    )
  }

  #doEvent({ asked }: LedgerRecord): void {
    const { actor = [] } = asked as EventLine
    const made = remakeEvent(asked as EventLine)
    const root = this.#engine?.actor as AnyActorRef | undefined
    if (root === undefined) return
    if (actor.length === 0)
      this.#engine?.submit(
        made,
        () => {},
        (failed) => (this.#failure = failed),
      )
    else actorAt(root, actor)?.send(made)
  }

  /** Takes the state after a record over as it is stored. */
  async #goOnFrom(seq: number, ephemerals: Ephemerals): Promise<void> {
    const { store, runId } = this.#options
    const { catalogue } = this.#definition
    const { board, machine, notes } = await loadRun({ store, catalogue, runId, atSeq: seq })
    if (machine === undefined) return
    this.#invocations = machine.invocations
    this.#made = []
    this.#engine = this.#createEngine({ restored: { seq, board, machine } }, notes.snapshots)
    this.#machine = machineText({ ...machine, context: machine.context })
    this.#unknown.clear()
    for (const cell of board.cells()) {
      this.#keep(cell)
      if (ephemerals === 'unknown' && cell.entry.ephemeral) this.#unknown.add(idOf(cell.entry))
    }
    this.#engine.resume()
    await this.#settled()
    this.#made = []
  }

  #createEngine(origin: EngineOrigin, snapshots: ConstructorParameters<typeof PhaseMarks>[1] = []): Engine {
    const { workflow, runId } = this.#options
    const nothingToDo = (): Promise<never> => new Promise(() => {})
    const actors = bindActors(this.#definition, {
      nextInvocation: (id) => invocationName(runId, id, (this.#invocations += 1)),
      startAgent: nothingToDo,
      stopAgent: () => {},
      startChild: nothingToDo,
      stopChild: () => {},
      onTold: () => {},
    })
    const machine = deriveMachine(workflow, actors)
    return new Engine(machine, origin, this.#host(snapshots))
  }

  #host(snapshots: ConstructorParameters<typeof PhaseMarks>[1]): EngineHost {
    const clock = { now: () => this.#now(), setTimeout: () => undefined, clearTimeout: () => {} }
    return {
      runId: this.#options.runId,
      isReplay: true,
      stamp: () => stampOf(this.#options.workflow),
      clock,
      deadlines: new Deadlines(clock),
      inspect: undefined,
      globals: () => this.#globals,
      globalsEpoch: () => 0,
      newGlobalsMark: () => undefined,
      globalsAhead: () => 0,
      stageGlobals: (globals) => (this.#globals = globals),
      phases: new PhaseMarks(this.#definition.agents, snapshots),
      invocationCount: () => this.#invocations,
      commit: (turns) => {
        this.#made.push(...turns)
        return Promise.resolve()
      },
      onCommitted: () => {},
      onLost: (error) => (this.#failure ??= error),
      onFailed: (error) => (this.#failure ??= error),
    }
  }

  /** The instant of the record that is being made. */
  #now(): number {
    const next = (this.#engine?.seq ?? this.#firstSeq - 1) + 1 - this.#firstSeq
    return (this.#records[next] ?? this.#records.at(-1))?.at ?? 0
  }

  /** Commits and what follows from them take a few turns of the microtask queue. */
  async #settled(): Promise<void> {
    do await Promise.resolve()
    while (this.#engine?.isSettled === false)
    await Promise.resolve()
  }

  /** What a record does to them comes of it again. */
  #globalsAt({ runId, seq, at }: LedgerRecord): Shelf {
    if (this.#foreign.has(seq)) return this.#globals
    let globals = this.#globals
    if (this.#foreign.has(seq - 1)) {
      this.#nextGlobal = 0
      globals = this.#firstGlobals
    }
    const cells: Cell[] = []
    for (; this.#nextGlobal < this.#globalRecords.length; this.#nextGlobal++) {
      const record = this.#globalRecords[this.#nextGlobal]
      if (record === undefined || record.at > at) break
      const cause = causeOf(record)
      if (cause.runId !== runId || cause.seq < seq) cells.push(...record.changes.map(({ cell }) => cell))
    }
    return cells.length === 0 ? globals : globals.with(cells)
  }

  #learn({ changes }: LedgerRecord): void {
    for (const { cell } of changes) this.#keep(cell)
  }

  /** Versions are kept: they are the bases of merges to come. */
  #keep(cell: Cell): void {
    const id = idOf(cell.entry)
    const versions = this.#versions.get(id) ?? new Map<number, Cell>()
    this.#versions.set(id, versions.set(cell.entry.version, cell))
  }

  #compareMachine(record: LedgerRecord, snapshot: MachineSnapshot): ReplayDifference | undefined {
    if (record.machine !== undefined) this.#machine = machineText(record.machine)
    return compareMachine(record, snapshot, this.#machine)
  }
}

/** What becomes of ephemeral entries where a state is taken over as it is stored, without them. */
type Ephemerals = 'lost' | 'unknown'

interface Beginning {
  /** Of the record that was to come of it. */
  readonly index: number
  readonly board: Board | undefined
  readonly globals: Shelf
  readonly nextGlobal: number
  readonly takenOver: number
}

/** What neither changes anything nor can be asked of a machine that has ended. */
const SILENT_KINDS: ReadonlySet<RecordKind> = new Set(['end', 'step', 'request', 'snapshot', 'wait', 'refusal'])

const idOf = ({ scope, holder, key }: EntryAddress): string => JSON.stringify([scope, holder, key])
