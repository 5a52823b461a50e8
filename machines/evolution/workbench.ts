// Workbench: the copy that an implementer works on, and the stage at work on it.
//   W1. The copy lives until the work is done, given up or failed: then it is deleted, once nothing writes to it any more.
//       When only the process ends it stays, and the next process finds it.
//   W2. Every stage is a step: after a restart, what was done is not done again, unless its copy has gone or was changed
//       in the meantime. Then a new copy is made, and the stages are done on that.
import { isCallboardError } from 'callboard'
import type { AgentContext } from 'callboard'
import { createHash } from 'node:crypto'
import { access } from 'node:fs/promises'
import { dirname } from 'node:path'
import { removeCopy } from './copy.ts'
import type { WorkingCopy } from './copy.ts'

type Context = Pick<AgentContext<object, object, unknown>, 'step' | 'signal' | 'runId'>

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

export class Workbench {
  readonly #context: Context
  #running: Promise<unknown> = Promise.resolve()
  #copy: WorkingCopy | undefined
  #generation = 0

  constructor(context: Context) {
    this.#context = context
  }

  /** The copy of this run: found again, or made. Asked again, it gives another one. */
  async copy(make: (name: string, signal: AbortSignal) => Promise<WorkingCopy>): Promise<WorkingCopy> {
    for (;;) {
      await this.#remove()
      this.#generation += 1
      const name = createHash('sha256').update(`${this.#context.runId} ${this.#generation}`).digest('hex').slice(0, 16)
      this.#copy = await this.stage('copy', async ({ signal }) => {
        // An aborted step forgets its result, this does not.
        this.#copy = await make(name, signal)
        return this.#copy
      })
      // A run that was forked remembers the copy of the other one, which is not its to work on or to delete.
      const isOwn = dirname(this.#copy.directory).endsWith(name)
      if (!isOwn) this.#copy = undefined
      else if (await exists(this.#copy.directory)) return this.#copy
    }
  }

  /** Does something once. `isFirst` is false when an earlier attempt may have left traces in the copy. */
  stage<Result>(
    name: string,
    work: (attempt: { readonly signal: AbortSignal; readonly isFirst: boolean }) => Promise<Result>,
  ): Promise<Awaited<Result>> {
    const { step } = this.#context
    return step(this.#generation === 1 ? name : `${name} ${this.#generation}`, ({ signal, attempt }) => {
      const result = work({ signal, isFirst: attempt === 1 })
      this.#running = result
      return result
    })
  }

  /** A stage that was aborted may still be writing: it is waited for first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.catch(() => {})
    if (!isCallboardError(this.#context.signal.reason, 'run.left')) await this.#remove()
  }

  async #remove(): Promise<void> {
    if (this.#copy !== undefined) await removeCopy(this.#copy)
    this.#copy = undefined
  }
}
