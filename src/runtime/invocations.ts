// Invocations: the agents and child runs that a run's machine has started.
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import { CallboardError, isCallboardError } from '../base/index.ts'
import type { AgentDefinition } from '../workflow/index.ts'
import { AgentProcess } from './agent-process.ts'
import type { InvocationHost } from './bind-actors.ts'
import { invocationName } from './invocation-name.ts'
import type { RunCore } from './run-core.ts'
import { outputOf } from './run-end.ts'
import type { RunEnd } from './run-end.ts'
import type { RuntimeServices } from './runtime-services.ts'
import { insist } from './store-failure.ts'

interface Child {
  /** `over` until the machine has been told. */
  phase: 'starting' | 'going' | 'over'
  readonly ended: PromiseWithResolvers<RunEnd>
  stop(reason: string): Promise<void>
}

/** Why a child run is stopped that its parent does not wait for any more. */
export const LEFT_STATE = 'the state that invoked it was left'

/** What runs share that have invoked nothing yet: an empty map takes 200 bytes. */
const NONE: Map<string, never> = new Map<string, never>()

export class Invocations implements InvocationHost {
  readonly #core: RunCore
  readonly #services: RuntimeServices
  #agents: Map<string, AgentProcess> = NONE
  #newest: Map<string, AgentProcess> = NONE
  #children: Map<string, Child> = NONE
  #count = 0
  #isLeft = false

  constructor(core: RunCore, services: RuntimeServices) {
    this.#core = core
    this.#services = services
  }

  /** The agents that are at work, and the newest ended invocation of each other id. */
  get agents(): readonly AgentProcess[] {
    return [...this.#agents.values()]
  }

  /** The newest invocation of an id. */
  newest(id: string): AgentProcess | undefined {
    return this.#newest.get(id)
  }

  get hasChildren(): boolean {
    return this.#children.size > 0
  }

  /** Whether the run goes on, but not from here. */
  get isLeft(): boolean {
    return this.#isLeft
  }

  isAwaiting(runId: string): boolean {
    return this.#children.has(runId)
  }

  /** Whether nothing is to be done about them until one of them ends. */
  get areChildrenSettled(): boolean {
    return this.#children.values().every(({ phase }) => phase === 'going')
  }

  /** How many there have been. */
  get count(): number {
    return this.#count
  }

  /** A stored run goes on: names go on from its count. */
  continueFrom(count: number): void {
    this.#count = count
  }

  nextInvocation(id: string): string {
    this.#count += 1
    return invocationName(this.#core.runId, id, this.#count)
  }

  async startAgent(
    id: string,
    type: string,
    definition: AgentDefinition,
    invocation: string,
    input: unknown,
  ): Promise<unknown> {
    const { runId } = this.#core
    const agent = new AgentProcess(this.#core, {
      id,
      type,
      invocation,
      definition,
      sight: this.#core.sightOf(type, id),
      surroundings: this.#services.surroundings,
    })
    this.#forgetEnded(id)
    if (this.#agents === NONE) this.#agents = new Map()
    if (this.#newest === NONE) this.#newest = new Map()
    this.#agents.set(invocation, agent)
    this.#newest.set(id, agent)
    this.#services.topics.emit('agent', { runId, agent: id, type, status: 'running' })
    const work = { runId, agent: id, invocation, step: undefined }
    return this.#services.surroundings.run(work, () => agent.run(input))
  }

  stopAgent(invocation: string): void {
    const agent = this.#agents.get(invocation)
    agent?.stop(this.#stoppedError(agent.id))
  }

  async startChild(id: string, machine: AnyActorLogic, invocation: string, input: unknown): Promise<unknown> {
    const parent = { runId: this.#core.runId, id }
    const seed = { runId: invocation, input, parent }
    const isOver = (): boolean => this.#isLeft || this.#core.end !== undefined || !this.#children.has(invocation)
    const starting = this.#services.startChild(machine as AnyStateMachine, seed, isOver)
    // It counts from now on, not from when it has begun: it may have to be stopped before.
    if (this.#children === NONE) this.#children = new Map()
    const child: Child = {
      phase: 'starting',
      ended: Promise.withResolvers(),
      stop: async (reason) => {
        await starting
        // Nobody comes back to it: one that goes on in vain would do so for good.
        await insist(
          () => this.#services.stopRun(invocation, reason),
          this.#services,
          () => false,
        )
      },
    }
    this.#children.set(invocation, child)
    const end = await starting.catch(leftWhenClosed)
    // Nothing is known of it: it is found again when its parent is opened again.
    if (end?.kind === 'left') return new Promise<never>(() => {})
    if (end !== undefined) this.onChildEnded(invocation, end)
    else if (child.phase === 'starting') child.phase = 'going'
    return outputOf(await child.ended.promise)
  }

  /** What a child run came to. One that nobody waits for here is of no concern. */
  onChildEnded(invocation: string, end: RunEnd): void {
    const child = this.#children.get(invocation)
    if (child === undefined) return
    child.phase = 'over'
    child.ended.resolve(end)
  }

  stopChild(invocation: string): void {
    const child = this.#isLeft ? undefined : this.#children.get(invocation)
    if (child !== undefined) void child.stop(LEFT_STATE).catch(() => {})
  }

  /** Until the machine knows of an end, it may still do something about it: only then can there be a deadlock. */
  onTold(invocation: string): void {
    this.#children.delete(invocation)
    this.#core.onAgentWaits()
  }

  stopAgents(reason?: CallboardError): void {
    for (const agent of this.#agents.values()) agent.stop(reason ?? this.#stoppedError(agent.id))
  }

  /** The run has ended, and everything it started with it; or it was left, and child runs are left by themselves. */
  stopAll(left?: CallboardError): void {
    this.stopAgents(left)
    this.#isLeft = left !== undefined
    if (left !== undefined) return
    for (const child of this.#children.values())
      void child.stop(`its parent run ${this.#core.runId} has ended`).catch(() => {})
  }

  #forgetEnded(id: string): void {
    for (const [invocation, agent] of this.#agents) {
      if (agent.id === id && agent.status !== 'running' && agent.status !== 'waiting') this.#agents.delete(invocation)
    }
  }

  #stoppedError(agent: string): CallboardError {
    const { runId } = this.#core
    return new CallboardError(
      'agent.stopped',
      `run ${runId}: ${agent} was stopped because the state that invoked it was left or the run ended`,
      { runId, agent },
    )
  }
}

/** A child run that does not begin because the runtime is closed is left like one that has begun. */
function leftWhenClosed(error: unknown): RunEnd {
  if (isCallboardError(error, 'runtime.closed')) return { kind: 'left', error }
  throw error
}
