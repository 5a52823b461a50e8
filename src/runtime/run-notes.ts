// RunNotes: what is known of a run besides its board, taken from its records one by one.
//   N1. They are the same whether records are applied as they are committed or folded after a restart.
//   N2. They do not grow with the run: what ended invocations had done is dropped.
import { invocationNames } from '../ledger/index.ts'
import type { GlobalsMark, LedgerRecord, MachineState } from '../ledger/index.ts'
import { sharedStamp } from '../workflow/index.ts'
import type { DefinitionStamp, PersonTarget } from '../workflow/index.ts'
import { evictionsIn } from './evictions.ts'
import type { EvictionNote } from './evictions.ts'
import type { ForkLine } from './fork.ts'
import { Journal, MERGE_STEP } from './journal.ts'
import type { PackedJournal } from './journal.ts'
import type { SnapshotInfo } from './point.ts'
import type { RecordNote } from './record-note.ts'
import type { StepLine } from './step.ts'
import { applyWaits } from './wait-notes.ts'
import type { WaitLine } from './wait-notes.ts'

/** What an `end` record says. */
export interface EndLine {
  readonly status: 'stopped' | 'error'
  readonly reason?: string
  readonly error?: { readonly code: string; readonly message: string }
}

/** Notes as a snapshot keeps them. */
export interface PackedNotes {
  readonly journal: PackedJournal
  readonly snapshots: readonly SnapshotInfo[]
  readonly end?: EndLine
  readonly evictions?: readonly EvictionNote[]
  readonly definition?: DefinitionStamp
  readonly requests?: readonly RequestLine[]
  readonly globals?: GlobalsMark
}

/** Evictions that a run can explain without reading its ledger. */
const MOST_EVICTIONS = 20

/** What the first record says of the definition, and each that goes on with another one. */
interface DefinitionLine {
  readonly definition?: DefinitionStamp
  /** What agents had done, and what they had asked, before their run was forked. */
  readonly steps?: ForkLine['steps']
  readonly requests?: ForkLine['requests']
}

/** A question to a person that is open: it was asked, is not answered, and the agent that asked is still at work. */
export interface RequestLine {
  readonly id: string
  readonly target: PersonTarget
  readonly question?: string
  readonly timeoutMs?: number
  /** The agent that asks, and since when. */
  readonly agent: string
  readonly askedAt: number
}

const NONE: readonly never[] = Object.freeze([])
const NO_REQUESTS: ReadonlyMap<string, RequestLine> = new Map()

export class RunNotes {
  readonly journal: Journal
  #snapshots: readonly SnapshotInfo[]
  #end: EndLine | undefined
  #evictions: readonly EvictionNote[]
  #machine: MachineState | undefined
  #definition: DefinitionStamp | undefined
  #requests: ReadonlyMap<string, RequestLine> = NO_REQUESTS
  #globals: GlobalsMark | undefined

  constructor(packed: Partial<PackedNotes> = {}, machine?: MachineState) {
    const { journal = NONE, snapshots = NONE, end, definition, requests = NONE, evictions = NONE } = packed
    this.journal = Journal.unpack(journal)
    this.#snapshots = snapshots
    this.#end = end
    this.#evictions = evictions
    this.#machine = machine
    this.#definition = definition === undefined ? undefined : sharedStamp(definition)
    this.#globals = packed.globals
    if (requests.length > 0) this.#requests = new Map(requests.map((line) => [line.id, line]))
  }

  /** The named points of its history, oldest first. */
  get snapshots(): readonly SnapshotInfo[] {
    return this.#snapshots
  }

  /** Set when the run was stopped, or failed outside its machine. */
  get end(): EndLine | undefined {
    return this.#end
  }

  /** What made room last, oldest first. */
  get evictions(): readonly EvictionNote[] {
    return this.#evictions
  }

  /** The machine after the last record that changed it. */
  get machine(): MachineState | undefined {
    return this.#machine
  }

  /** With which definition it goes on; undefined for a run from before that was recorded. */
  get definition(): DefinitionStamp | undefined {
    return this.#definition
  }

  /** The open questions to people, by id, oldest first. */
  get requests(): ReadonlyMap<string, RequestLine> {
    return this.#requests
  }

  /** Up to where it saw the global entries. */
  get globals(): GlobalsMark | undefined {
    return this.#globals
  }

  /** Takes over a record. */
  apply(record: Omit<LedgerRecord, 'conflicts' | 'refusals'>): void {
    const { kind, asked, machine, seq, at } = record
    if (kind === 'update' || kind === 'event') this.#applyNote(asked as RecordNote, record.runId)
    else if (kind === 'step') this.journal.apply(asked as StepLine)
    else if (kind === 'wait') applyWaits(this.journal, asked as WaitLine)
    else if (kind === 'end') this.#end = asked as EndLine
    else if (kind === 'start' || kind === 'definition') this.#applyDefinition(asked as DefinitionLine | undefined)
    else if (kind === 'request') this.#applyRequest(asked as RequestLine, record.author, at)
    else if (kind === 'snapshot') {
      const { id, reason, metadata } = asked as SnapshotInfo
      this.#snapshots = [...this.#snapshots, Object.freeze({ id, seq, at, reason, metadata })]
    }
    if (record.globals !== undefined) this.#globals = record.globals
    // Those of before are not here.
    else if (kind === 'unpack') this.#globals = undefined
    const evicted = evictionsIn(record)
    if (evicted.length > 0) this.#evictions = [...this.#evictions, ...evicted].slice(-MOST_EVICTIONS)
    if (machine === undefined) return
    this.#machine = machine
    if (this.journal.size === 0 && this.#requests.size === 0) return
    const atWork = invocationNames(machine.persisted)
    this.journal.keepOnly(atWork)
    this.#keepRequests((id) => atWork.has(askerOf(id, record.runId)))
  }

  /** Drops the named points before a seq but for the newest so many. */
  forgetSnapshots(ids: ReadonlySet<string>): void {
    if (ids.size > 0) this.#snapshots = this.#snapshots.filter(({ id }) => !ids.has(id))
  }

  pack(): PackedNotes {
    const end = this.#end
    const definition = this.#definition
    return {
      journal: this.journal.pack(),
      snapshots: this.#snapshots,
      ...(end === undefined ? {} : { end }),
      ...(this.#evictions.length === 0 ? {} : { evictions: this.#evictions }),
      ...(definition === undefined ? {} : { definition }),
      ...(this.#globals === undefined ? {} : { globals: this.#globals }),
      ...(this.#requests.size === 0 ? {} : { requests: [...this.#requests.values()] }),
    }
  }

  #applyDefinition(line: DefinitionLine | undefined): void {
    if (line?.definition !== undefined) this.#definition = sharedStamp(line.definition)
    for (const step of line?.steps ?? []) this.journal.apply(step)
    for (const request of line?.requests ?? []) this.#applyRequest(request, request.agent, request.askedAt)
  }

  #keepRequests(isKept: (id: string) => boolean): void {
    if (this.#requests.size > 0) this.#requests = new Map([...this.#requests].filter(([id]) => isKept(id)))
  }

  #applyRequest({ id, target, question, timeoutMs }: RequestLine, agent: string, askedAt: number): void {
    const limit = timeoutMs === undefined ? {} : { timeoutMs }
    const text = question === undefined ? {} : { question }
    const line = Object.freeze({ id, target, agent, askedAt, ...text, ...limit })
    this.#requests = new Map([...this.#requests, [id, line]])
  }

  /** An answer is remembered like a step: the agent that asked is not to ask again. So is the end of one on a branch. */
  #applyNote({ answers, answer, merges }: RecordNote, runId: string): void {
    if (merges !== undefined) this.journal.finish(merges, MERGE_STEP, 1, answer)
    if (answers === undefined) return
    this.#keepRequests((id) => id !== answers)
    const asker = askerOf(answers, runId)
    if (asker !== '') this.journal.finish(asker, answers.slice(asker.length + 1), 1, answer)
  }
}

/** The invocation that a request's id begins with. */
function askerOf(id: string, runId: string): string {
  return id.slice(0, Math.max(0, id.indexOf(QUESTION, runId.length)))
}

/** Between the name of an invocation and that of a question; either may hold any other slash. */
const QUESTION = '/ask '
