// Replay: goes through a stored run again with today's workflow, record by record, and compares what comes of it with what
// came of it then.
//   Y1. Nothing is done to the world: no agent, action, child run or timer begins, and nothing is stored.
//   Y2. What came from outside (updates, events of agents and people, due timers) is taken from the ledger; what followed
//       from it inside of the machine has to follow again.
//   Y3. A record comes out the same when its changes, its conflicts and the machine's state are the same bytes.
//   Y4. What a record does not tell (a branch, a restore, a policy given as a function) is taken over as it was, and said.
import type { AnyActorRef, AnyStateMachine, EventObject } from 'xstate'
import { canonicalJson, Deadlines, fromTagged, toTagged } from '../base/index.ts'
import type { Shelf } from '../context/index.ts'
import type { Cell, CellChange, EntryAddress } from '../context/index.ts'
import { encodeRecord } from '../ledger/index.ts'
import type { LedgerRecord, RecordKind } from '../ledger/index.ts'
import type { Store } from '../store/index.ts'
import { stampOf } from '../workflow/index.ts'
import type { WorkflowDefinition } from '../workflow/index.ts'
import { actorAt } from './actor-path.ts'
import { bindActors } from './bind-actors.ts'
import { deriveMachine } from './derive-machine.ts'
import { reviveError } from './describe-event.ts'
import type { RecordedError } from './describe-event.ts'
import { Engine } from './engine.ts'
import type { EngineHost, EngineOrigin } from './engine.ts'
import { invocationName } from './invocation-name.ts'
import { loadRun } from './load-run.ts'
import type { MachineSnapshot } from './machine-snapshot.ts'
import { PhaseMarks } from './phase-marks.ts'
import { readReplaySource } from './replay-source.ts'
import type { ReplaySource } from './replay-source.ts'
import { remakeUpdate } from './replay-update.ts'
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

export interface ReplayDifference {
  readonly seq: number
  /** The entry that is another; undefined where it is the machine or the record as a whole. */
  readonly key: string | undefined
  /** Says what is different, without values. */
  readonly message: string
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
  readonly #others: readonly LedgerRecord[]
  readonly #takenOver: { readonly seq: number; readonly why: string }[] = []
  readonly #versions = new Map<string, Map<number, Cell>>()
  #engine: Engine | undefined
  #globals: Shelf
  #nextOther = 0
  #invocations = 0
  /** What the engine has made and was not compared yet. */
  #made: Turn[] = []
  #failure: unknown
  #machine = ''

  constructor(options: ReplayOptions, { afterSeq, passedOver, records, globals, others }: ReplaySource) {
    this.#options = options
    this.#definition = definitionOf(options.workflow)
    this.#firstSeq = afterSeq + 1
    this.#records = records
    this.#globals = globals
    this.#others = others
    if (passedOver) this.#takenOver.push({ seq: afterSeq, why: 'the global entries of until then were dropped' })
  }

  async run(): Promise<ReplayReport> {
    if (this.#firstSeq > 1) await this.#goOnFrom(this.#firstSeq - 1)
    let same = 0
    for (const record of this.#records) {
      const difference = await this.#replay(record)
      if (difference !== undefined) return this.#report(same, difference)
      same += 1
      this.#learn(record)
    }
    const extra = this.#made[0]
    if (extra === undefined) return this.#report(same, undefined)
    const { seq, kind } = extra.record
    return this.#report(same, { seq, key: undefined, message: `a record (${kind}) follows that was not there` })
  }

  #report(records: number, difference: ReplayDifference | undefined): ReplayReport {
    const { runId } = this.#options
    return Object.freeze({ runId, records, takenOver: Object.freeze([...this.#takenOver]), difference })
  }

  async #replay(record: LedgerRecord): Promise<ReplayDifference | undefined> {
    const { seq } = record
    this.#globals = this.#globalsAt(record.at)
    if (this.#made.length === 0) {
      const why = await this.#do(record)
      if (why !== undefined) {
        this.#takenOver.push({ seq, why })
        await this.#goOnFrom(seq)
        return undefined
      }
    }
    if (this.#failure !== undefined) {
      const { message = String(this.#failure) } = this.#failure as { readonly message?: string }
      return { seq, key: undefined, message: `the workflow fails now: ${message}` }
    }
    const made = this.#made.shift()
    if (made === undefined) return this.#isSilent(record) ? undefined : nothing(record)
    return compare(record, made.record) ?? this.#compareMachine(record, made.snapshot)
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
    const { event, error, actor = [] } = asked as EventLine
    const made =
      typeof event === 'string'
        ? {
            type: event,
            error: error === undefined ? undefined : reviveError(error),
            actorId: event.split('.').slice(3).join('.'),
          }
        : (fromTagged(JSON.parse(JSON.stringify(event))) as EventObject)
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

  /** What neither changes anything nor can be asked of a machine that has ended. */
  #isSilent({ kind }: LedgerRecord): boolean {
    return SILENT_KINDS.has(kind)
  }

  /** Takes the state after a record over as it is stored. */
  async #goOnFrom(seq: number): Promise<void> {
    const { store, runId } = this.#options
    const { catalogue } = this.#definition
    const { board, machine, notes } = await loadRun({ store, catalogue, runId, atSeq: seq })
    if (machine === undefined) return
    this.#invocations = machine.invocations
    this.#made = []
    this.#engine = this.#createEngine({ restored: { seq, board, machine } }, notes.snapshots)
    this.#machine = machineText({ ...machine, context: machine.context })
    for (const cell of board.cells()) this.#keep(cell)
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

  #globalsAt(at: number): Shelf {
    const cells: Cell[] = []
    for (; (this.#others[this.#nextOther]?.at ?? Number.POSITIVE_INFINITY) <= at; this.#nextOther++)
      for (const { cell } of this.#others[this.#nextOther]?.changes ?? []) cells.push(cell)
    return cells.length === 0 ? this.#globals : this.#globals.with(cells)
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

  #compareMachine(
    { seq, machine }: LedgerRecord,
    { context, ...snapshot }: MachineSnapshot,
  ): ReplayDifference | undefined {
    if (machine !== undefined) this.#machine = machineText(machine)
    const { board: _board, ...extra } = context
    const text = machineText({ ...snapshot, context: extra })
    if (text === this.#machine) return undefined
    const [then, now] = [machine?.value, snapshot.value].map((value) => JSON.stringify(value))
    const message =
      machine === undefined || then === now
        ? `the machine's context or output is another, in state ${now ?? ''}`
        : `the machine was in ${then ?? ''}, and is in ${now ?? ''}`
    return { seq, key: undefined, message }
  }
}

const SILENT_KINDS: ReadonlySet<RecordKind> = new Set(['end', 'step', 'request', 'snapshot', 'wait', 'refusal'])

interface EventLine {
  readonly event: string | EventObject
  readonly error?: RecordedError
  readonly actor?: readonly string[]
  readonly isPartial?: true
}

/** The machine's state as bytes: what is the same in any process. */
function machineText({
  status,
  value,
  context,
  output,
}: {
  readonly status: string
  readonly value: unknown
  readonly context: unknown
  readonly output: unknown
}): string {
  return canonicalJson({ status, value, context, output: status === 'done' ? output : undefined })
}

/** The first thing in which a record that was made again is another. */
function compare(then: LedgerRecord, now: LedgerRecord): ReplayDifference | undefined {
  const { seq } = then
  if (then.kind !== now.kind)
    return {
      seq,
      key: undefined,
      message: `it was the record of ${then.kind}, and is one of ${now.kind}${whyRefused(now)}`,
    }
  for (let index = 0; index < Math.max(then.changes.length, now.changes.length); index++) {
    const [was, is] = [then.changes[index], now.changes[index]]
    if (was === undefined || is === undefined) {
      const key = (was ?? is)?.key
      return { seq, key, message: was === undefined ? `"${key}" changes now` : `"${key}" does not change now` }
    }
    if (textOf(then, [was]) !== textOf(then, [is])) return { seq, key: was.key, message: describe(was, is) }
  }
  if (textOf(then, then.changes, then.conflicts) === textOf(then, now.changes, now.conflicts)) return undefined
  const key = (then.conflicts[0] ?? now.conflicts[0])?.key
  return { seq, key, message: `the conflicts about "${key}" are others` }
}

const whyRefused = ({ refusals }: LedgerRecord): string => (refusals[0] === undefined ? '' : `: ${refusals[0].message}`)

/** Changes and conflicts as they are stored. */
function textOf(
  place: LedgerRecord,
  changes: readonly CellChange[],
  conflicts: LedgerRecord['conflicts'] = [],
): string {
  return encodeRecord({ ...place, asked: null, changes, conflicts, refusals: [], machine: undefined })
}

/** In what an entry is another, without its values. */
function describe(was: CellChange, is: CellChange): string {
  if (was.key !== is.key) return `"${was.key}" changed there, and "${is.key}" does now`
  if (was.kind !== is.kind) return `"${was.key}": ${was.kind} then, ${is.kind} now`
  const fields = Object.keys(was.cell.entry) as (keyof Cell['entry'])[]
  const different = fields.filter((field) => !isSame(was.cell.entry[field], is.cell.entry[field]))
  if (different.includes('version')) {
    return `"${was.key}" got version ${was.cell.entry.version}, and gets ${is.cell.entry.version}`
  }
  return `the ${different.join(', ') || 'record'} of "${was.key}" ${different.length > 1 ? 'are others' : 'is another'}`
}

const isSame = (one: unknown, other: unknown): boolean =>
  JSON.stringify(toTagged(one)) === JSON.stringify(toTagged(other))

function nothing({ seq, kind, changes }: LedgerRecord): ReplayDifference {
  return { seq, key: changes[0]?.key, message: `nothing comes of it now; then it was a record of ${kind}` }
}

const idOf = ({ scope, holder, key }: EntryAddress): string => JSON.stringify([scope, holder, key])
