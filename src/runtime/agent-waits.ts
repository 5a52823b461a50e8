// AgentWaits: what an agent waits for, with its eyes and its rights.
import { CallboardError } from '../base/index.ts'
import type { Cell, CellChange, View } from '../context/index.ts'
import type { WaitKeeper, WaitSpec } from '../waits/index.ts'
import type { WaitOptions } from '../workflow/index.ts'
import type { AgentProcess } from './agent-process.ts'
import type { AgentWorld } from './agent-world.ts'
import type { RunCore } from './run-core.ts'
import { watchView } from './watched-view.ts'

export class AgentWaits {
  readonly #core: RunCore
  readonly #agent: AgentProcess
  readonly #world: AgentWorld
  readonly #keeper: WaitKeeper

  constructor(core: RunCore, agent: AgentProcess, world: AgentWorld) {
    this.#core = core
    this.#agent = agent
    this.#world = world
    this.#keeper = core.waitNotes.keeperOf(agent)
  }

  waitFor(what: unknown, options: WaitOptions): Promise<unknown> {
    if (typeof what === 'string') return this.waitForKeys([what], 'one', options)
    if (Array.isArray(what)) return this.waitForKeys(what as string[], 'all', options)
    return this.#waitForCondition(what as (view: View) => unknown, options)
  }

  waitForKeys(keys: readonly string[], mode: 'one' | 'all' | 'any', options: WaitOptions): Promise<unknown> {
    const agent = this.#agent
    agent.assertRunning()
    for (const key of keys) {
      this.#assertKnown(key)
      agent.assertReadable(key)
    }
    const { fresh = false, since = 0 } = options
    const read = (key: string): Cell | undefined => agent.read(key)
    const { waits } = this.#core
    return this.#told(keys, () =>
      waits.add({ waiter: agent.id, keys, mode, read, fresh, since, ...this.#basics(options) }),
    )
  }

  #waitForCondition(condition: (view: View) => unknown, options: WaitOptions): Promise<unknown> {
    const agent = this.#agent
    agent.assertRunning()
    const evaluate = (): { result: unknown; keys: readonly string[] | 'every' } => {
      const watched = watchView(this.#world.viewOf(agent), (key) => agent.read(key))
      const result = condition(watched.view)
      return { result, keys: watched.keys() }
    }
    const concerns = (change: CellChange): boolean => agent.sight.isTouchedBy(change)
    const describe = (): string => condition.toString()
    const { waits } = this.#core
    return this.#told([], () =>
      waits.addCondition({ waiter: agent.id, evaluate, concerns, describe, ...this.#basics(options) }),
    )
  }

  /** Whoever listens is told of a wait, unless it is over at once. */
  #told(keys: readonly string[], wait: () => Promise<unknown>): Promise<unknown> {
    const { size } = this.#core.waits
    const promise = wait()
    if (this.#core.waits.size > size) this.#core.tellOfWait(promise, this.#agent.id, keys)
    return promise
  }

  #basics({
    timeoutMs = this.#core.waitTimeoutMs,
    signal,
  }: WaitOptions): Pick<WaitSpec, 'timeoutMs' | 'signal' | 'onTimeout'> & { readonly keeper: WaitKeeper } {
    const onTimeout: WaitSpec['onTimeout'] = (wait) => this.#core.timeoutError(wait, this.#agent)
    return { timeoutMs, signal, onTimeout, keeper: this.#keeper }
  }

  #assertKnown(key: string): void {
    const { runId, catalogue } = this.#core
    if (catalogue.find(key) !== undefined) return
    throw new CallboardError(
      'wait.unknown-key',
      `run ${runId}: ${this.#agent.id} waits for "${key}", which the catalogue does not know; add it to defineContext() or correct the key`,
      { runId, agent: this.#agent.id, key },
    )
  }
}
