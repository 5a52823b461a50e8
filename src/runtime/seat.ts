// Seat: a run's place in its runtime, shared by whoever holds the run.
//   S1. `core` answers every reader truly: the run at work, or as it was when it went to rest; nothing moves in between.
//   S2. Whoever wants the run to do something asks for `awake()`; several who ask bring it back once.
//   S3. What is to be attached to a run that rests is attached before it goes on.
// When a run rests and comes back is decided by the roster.
import type { AnyStateMachine } from 'xstate'
import { CallboardError } from '../base/index.ts'
import type { Run } from './run.ts'
import type { RunCore } from './run-core.ts'
import type { RunEnd } from './run-end.ts'

export interface SeatHost {
  /** Brings a run that rests back to work. */
  wake(runId: string): Promise<unknown>
  /** Somebody awaits the end of a run that rests. */
  keep(seat: Seat): void
  /** Told of what could not be attached. */
  onFailure(error: unknown): void
}

export class Seat {
  readonly run: Run
  /** As it was given to the runtime. */
  readonly machine: AnyStateMachine
  readonly #host: SeatHost
  /** Made when somebody asks for it: nobody does for most runs, and promises take room. */
  #ended: PromiseWithResolvers<RunEnd> | undefined
  #left: RunEnd | undefined
  #core: RunCore
  #rests = false
  #isAwaited = false
  /** What is attached, and again whenever the run comes back. */
  #attached: Set<(core: RunCore) => void> | undefined
  #losses = 0
  #lostAtSeq = 0

  constructor(core: RunCore, machine: AnyStateMachine, host: SeatHost, makeRun: (seat: Seat) => Run) {
    this.#host = host
    this.#core = core
    this.machine = machine
    this.run = makeRun(this)
  }

  get runId(): string {
    return this.#core.runId
  }

  /** For reading. */
  get core(): RunCore {
    return this.#core
  }

  /** The run at work; undefined while it rests. */
  get active(): RunCore | undefined {
    return this.#rests ? undefined : this.#core
  }

  /** How it ended. */
  get ended(): Promise<RunEnd> {
    if (this.#ended === undefined) {
      this.#ended = Promise.withResolvers<RunEnd>()
      if (this.#left === undefined) this.#follow(this.#core)
      else this.#ended.resolve(this.#left)
    }
    return this.#ended.promise
  }

  /** Somebody awaits its end: it must be told even if nobody else knows of the run any more. */
  get isAwaited(): boolean {
    return this.#isAwaited
  }

  onAwaited(): void {
    this.#isAwaited = true
    if (this.#rests) this.#host.keep(this)
  }

  /** The run at work, brought back if it rests. */
  async awake(): Promise<RunCore> {
    while (this.#rests) await this.#host.wake(this.runId)
    return this.#core
  }

  /** Attaches something that keeps the run at work until it is detached; at once, or when the run has come back. */
  attach(attach: (core: RunCore) => () => void): () => void {
    let detach: (() => void) | undefined
    const doIt = (core: RunCore): void => {
      detach?.()
      const off = attach(core)
      const release = core.hold()
      detach = () => {
        off()
        release()
      }
    }
    this.#attached ??= new Set()
    this.#attached.add(doIt)
    if (this.#rests) this.awake().catch((error: unknown) => this.#host.onFailure(error))
    else doIt(this.#core)
    return () => {
      this.#attached?.delete(doIt)
      detach?.()
      detach = undefined
    }
  }

  /** A commit has failed; gives how many have since the last that did not. */
  countLoss(): number {
    const { seq } = this.#core
    this.#losses = seq > this.#lostAtSeq ? 1 : this.#losses + 1
    this.#lostAtSeq = seq
    return this.#losses
  }

  /** The run has gone to rest. */
  leave(): void {
    this.#rests = true
  }

  /** The runtime is closed, and the run stays as it is stored. */
  abandon(): void {
    const message = `run ${this.runId} was left at rest: the runtime was closed; runtime.open() goes on with it`
    this.#left = { kind: 'left', error: new CallboardError('run.left', message, { runId: this.runId }) }
    this.#ended?.resolve(this.#left)
  }

  /** The run that was here is not to be gone on with. */
  giveUp(error: CallboardError): void {
    this.#rests = false
    this.#core.giveUp(error)
  }

  /** The run has come back. */
  arrive(core: RunCore): void {
    this.#core = core
    this.#rests = false
    if (this.#ended !== undefined) this.#follow(core)
    for (const attach of [...(this.#attached ?? [])]) attach(core)
  }

  #follow(core: RunCore): void {
    void core.ended.then((end) => this.#ended?.resolve(end))
  }
}
