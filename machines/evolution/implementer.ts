// Implementer: carries a plan out on a copy of the project.
//   I1. The project is only read; what comes of the plan is a patch.
//   I2. The copy lives as long as the agent: it is deleted on every way out, once nothing writes to it any more.
//   I3. Every stage is a step: after a restart, what was done is not done again.
import type { AgentContext, AgentLogic } from 'callboard'
import { analyse } from './analysis.ts'
import { board } from './board.ts'
import { makeCopy, removeCopy } from './copy.ts'
import type { WorkingCopy } from './copy.ts'
import { implement } from './implement.ts'
import { assertUnchanged, makePatch } from './patch.ts'
import { tellingOf } from './progress.ts'

interface World {
  readonly now: () => number
  readonly tscPath: string | undefined
}

/** Carries the tasks out, has the result compiled, measures it again, and compares it with the project. */
export function createImplementer({ now, tscPath }: World): AgentLogic<unknown, void> {
  return board.agent({
    role: 'implementer',
    reads: ['sources', 'research.external', 'plan.improvement'],
    writes: ['implementation.*', 'state.current'],
    async run({ view, step, update, progress }) {
      const sources = view.getOrThrow('sources')
      const plan = view.getOrThrow('plan.improvement')
      const { conventions } = view.getOrThrow('research.external')
      const { root, files } = sources
      await using bench = new Workbench(step)
      const copy = await bench.copy((signal) =>
        makeCopy({ root, files, signal, onProgress: tellingOf(progress, 'copies') }),
      )
      const { directory } = copy
      const log = await bench.stage('implement', (signal) =>
        implement({
          ...{ plan, sources, copy, conventions, tscPath, now, signal },
          onProgress: tellingOf(progress, 'edits', 'asks the compiler'),
        }),
      )
      const current = await bench.stage('measure', (signal) => {
        const onProgress = tellingOf(progress, 'measures')
        return analyse({ sources: { ...sources, root: directory }, now, signal, onProgress })
      })
      const patch = await bench.stage('compare', async (signal) => {
        await assertUnchanged(root, log.rollbackPoints)
        return makePatch({ root, directory, files: log.modifiedFiles, signal })
      })
      await update({ 'implementation.log': log, 'implementation.patch': patch, 'state.current': current })
    },
  })
}

/** The copy and the stage at work on it (I2). */
class Workbench {
  readonly #step: AgentContext<object, object, unknown>['step']
  #running: Promise<unknown> = Promise.resolve()
  #copy: WorkingCopy | undefined

  constructor(step: AgentContext<object, object, unknown>['step']) {
    this.#step = step
  }

  /** Makes the copy; an aborted step forgets its result, this does not. */
  async copy(make: (signal: AbortSignal) => Promise<WorkingCopy>): Promise<WorkingCopy> {
    this.#copy = await this.stage('copy', async (signal) => {
      this.#copy = await make(signal)
      return this.#copy
    })
    return this.#copy
  }

  stage<Result>(name: string, work: (signal: AbortSignal) => Promise<Result>): Promise<Awaited<Result>> {
    return this.#step(name, ({ signal }) => {
      const result = work(signal)
      this.#running = result
      return result
    })
  }

  /** A stage that was aborted may still be writing: it is waited for first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.catch(() => {})
    if (this.#copy !== undefined) await removeCopy(this.#copy)
  }
}
