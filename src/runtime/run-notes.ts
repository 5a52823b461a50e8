// RunNotes: what is known of a run besides its board, taken from its records one by one.
//   N1. They are the same whether records are applied as they are committed or folded after a restart.
//   N2. They do not grow with the run: what ended invocations had done is dropped.
import type { LedgerRecord, MachineState } from '../ledger/index.ts'
import { Journal } from './journal.ts'
import type { PackedJournal } from './journal.ts'
import type { SnapshotInfo } from './run.ts'
import type { StepLine } from './step.ts'

/** What an `end` record says. */
export interface EndLine {
  readonly status: 'stopped' | 'error'
  readonly reason?: string
  readonly error?: { readonly code: string; readonly message: string }
}

/** A question to a person that is open: it was asked, is not answered, and the agent that asked is still at work. */
export interface RequestLine {
  readonly id: string
  readonly target: { readonly key: string } | { readonly event: string }
  readonly question?: string
  readonly timeoutMs?: number
  /** The agent that asks, and since when. */
  readonly agent: string
  readonly askedAt: number
}

/** Notes as a snapshot keeps them. */
export interface PackedNotes {
  readonly journal: PackedJournal
  readonly requests: readonly RequestLine[]
  readonly snapshots: readonly SnapshotInfo[]
  readonly end?: EndLine
}

/** What an update or event says that answers a person's request. */
interface AnswerLine {
  readonly answers?: string
  readonly answer?: unknown
}

const NO_REQUESTS: ReadonlyMap<string, RequestLine> = new Map()

export class RunNotes {
  readonly journal: Journal
  #requests: ReadonlyMap<string, RequestLine> = NO_REQUESTS
  #snapshots: readonly SnapshotInfo[]
  #end: EndLine | undefined
  #machine: MachineState | undefined

  constructor({ journal = [], requests = [], snapshots = [], end }: Partial<PackedNotes> = {}, machine?: MachineState) {
    this.journal = Journal.unpack(journal)
    if (requests.length > 0) this.#requests = new Map(requests.map((line) => [line.id, line]))
    this.#snapshots = snapshots
    this.#end = end
    this.#machine = machine
  }

  /** The named points of its history, oldest first. */
  get snapshots(): readonly SnapshotInfo[] {
    return this.#snapshots
  }

  /** The open questions to people, oldest first. */
  get requests(): ReadonlyMap<string, RequestLine> {
    return this.#requests
  }

  /** Set when the run was stopped, or failed outside its machine. */
  get end(): EndLine | undefined {
    return this.#end
  }

  /** The machine after the last record that changed it. */
  get machine(): MachineState | undefined {
    return this.#machine
  }

  /** Takes over a record. */
  apply({ kind, asked, machine, seq, at, author, runId }: LedgerRecord): void {
    if (kind === 'update' || kind === 'event') this.#applyAnswer(asked as AnswerLine, runId)
    else if (kind === 'step') this.journal.apply(asked as StepLine)
    else if (kind === 'request') this.#applyRequest(asked as RequestLine, author, at)
    else if (kind === 'end') this.#end = asked as EndLine
    else if (kind === 'snapshot') {
      const { id, reason, metadata } = asked as SnapshotInfo
      this.#snapshots = [...this.#snapshots, Object.freeze({ id, seq, at, reason, metadata })]
    }
    if (machine === undefined) return
    this.#machine = machine
    if (this.journal.size === 0 && this.#requests.size === 0) return
    const alive = invocationsOf(machine.persisted)
    this.journal.keepOnly(alive)
    this.#keepRequests((id) => alive.has(id.slice(0, id.indexOf(QUESTION, runId.length))))
  }

  /** Drops the named points before a seq but for the newest so many. */
  forgetSnapshots(ids: ReadonlySet<string>): void {
    if (ids.size > 0) this.#snapshots = this.#snapshots.filter(({ id }) => !ids.has(id))
  }

  pack(): PackedNotes {
    const end = this.#end
    return {
      journal: this.journal.pack(),
      requests: [...this.#requests.values()],
      snapshots: this.#snapshots,
      ...(end === undefined ? {} : { end }),
    }
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

  /** An answer is remembered like a step: the agent that asked is not to ask again. */
  #applyAnswer({ answers, answer }: AnswerLine, runId: string): void {
    if (answers === undefined) return
    this.#keepRequests((id) => id !== answers)
    const split = answers.indexOf(QUESTION, runId.length)
    if (split > 0) this.journal.finish(answers.slice(0, split), answers.slice(split + 1), 1, answer)
  }
}

/** Between the name of an invocation and that of a question; either may hold any other slash. */
const QUESTION = '/ask '

/** A child as XState persists it: an invocation of ours, or a machine with children of its own. */
interface PersistedChild {
  readonly snapshot?: {
    readonly status?: unknown
    readonly invocation?: unknown
    readonly children?: Readonly<Record<string, PersistedChild>>
  }
}

/** The invocations that a persisted machine and the machines inside it are waiting for. */
function invocationsOf(persisted: unknown, found: Set<string> = new Set()): ReadonlySet<string> {
  for (const { snapshot } of Object.values((persisted as PersistedChild['snapshot'])?.children ?? {})) {
    if (snapshot?.status !== 'active') continue
    if (typeof snapshot.invocation === 'string') found.add(snapshot.invocation)
    invocationsOf(snapshot, found)
  }
  return found
}
