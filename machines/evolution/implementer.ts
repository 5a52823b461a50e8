// Implementer: carries a plan out on a copy of the project.
//   I1. The project is only read; what comes of the plan is a patch.
//   I2. After a restart it goes on with the copy and the stages that are finished (workbench.ts).
import type { AgentLogic } from 'callboard'
import { analyse } from './analysis.ts'
import { board } from './board.ts'
import { makeCopy, refreshCopy } from './copy.ts'
import { implement } from './implement.ts'
import { assertUnchanged, isCarriedOut, makePatch } from './patch.ts'
import { tellingOf } from './progress.ts'
import { commentFor } from './wording.ts'
import { Workbench } from './workbench.ts'

interface World {
  readonly now: () => number
  readonly tscPath: string | undefined
}

/** Carries the tasks out, has the result compiled, measures it again, and compares it with the project. */
export function createImplementer({ now, tscPath }: World): AgentLogic<unknown, void> {
  return board.agent({
    role: 'implementer',
    reads: ['sources', 'research.external', 'plan.improvement', 'wording.texts', 'implementation.log'],
    writes: ['implementation.*', 'state.current'],
    async run({ view, step, update, progress, signal: stopped, runId }) {
      const sources = view.getOrThrow('sources')
      const plan = view.getOrThrow('plan.improvement')
      const texts = view.get('wording.texts')
      const { conventions } = view.getOrThrow('research.external')
      const { root, files } = sources
      const planned = new Set(plan.tasks.filter(({ automatic }) => automatic).map(({ file }) => file))
      const ownFiles = files.filter((file) => planned.has(file))
      await using bench = new Workbench({ step, signal: stopped, runId })
      const begin = () =>
        bench.copy((name, signal) => makeCopy({ root, files, name, signal, onProgress: tellingOf(progress, 'copies') }))
      const carryOut = () =>
        bench.stage('implement', async ({ signal, isFirst }) => {
          if (!isFirst) await refreshCopy(copy, ownFiles)
          const onProgress = tellingOf(progress, 'edits', 'asks the compiler')
          const words = (file: string, name: string) => commentFor(texts, file, name)
          return implement({ plan, sources, copy, conventions, tscPath, commentFor: words, now, signal, onProgress })
        })
      let copy = await begin()
      // Written as the last thing it does: all that was left is to put the copy away.
      if (view.has('implementation.log')) return
      let log = await carryOut()
      if (!(await isCarriedOut(copy.directory, log.rollbackPoints))) {
        copy = await begin()
        log = await carryOut()
      }
      const { directory } = copy
      const current = await bench.stage('measure', ({ signal }) => {
        const onProgress = tellingOf(progress, 'measures')
        return analyse({ sources: { ...sources, root: directory }, now, signal, onProgress })
      })
      const patch = await bench.stage('compare', async ({ signal }) => {
        await assertUnchanged(root, log.rollbackPoints)
        return makePatch({ root, directory, files: log.modifiedFiles, signal })
      })
      await update({ 'implementation.log': log, 'implementation.patch': patch, 'state.current': current })
    },
  })
}
