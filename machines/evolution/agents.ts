// The agents of an evolution. Each reads and writes what its patterns say; the work itself is the toolkit's.
// After a restart an agent that was at work runs again: what it wrote before is there, and is not found out again.
import { systemClock } from 'callboard'
import type { AgentLogic } from 'callboard'
import { createRequire } from 'node:module'
import { z } from 'zod'
import { analyse, assertParses } from './analysis.ts'
import { board } from './board.ts'
import { evaluate } from './evaluate.ts'
import { createImplementer } from './implementer.ts'
import type { Approval } from './meta.ts'
import { countAutomatic, makePlan } from './plan.ts'
import { tellingOf } from './progress.ts'
import { research } from './research.ts'
import { findSources } from './sources.ts'
import { createWordingAgents } from './wording.ts'
import type { WordingAgents } from './wording.ts'

/** What the agents need of the world. */
export interface EvolutionOptions {
  readonly now?: () => number
  /** A TypeScript compiler for targets that bring none: the path of `typescript/bin/tsc`. */
  readonly tscPath?: string | undefined
  /** The key for a model on a server that is named by its address; `CALLBOARD_MODEL_KEY` of the environment unless given. */
  readonly modelKey?: string | undefined
}

const Place = z.strictObject({ path: z.string() })

/** The agents by the names that the machine invokes them by. */
export type EvolutionAgents = {
  readonly scout: AgentLogic<z.input<typeof Place>, void>
  readonly analyst: AgentLogic<unknown, void>
  readonly researcher: AgentLogic<unknown, void>
  readonly planner: AgentLogic<unknown, void>
  readonly person: AgentLogic<{ readonly question?: string } | undefined, Approval>
  readonly implementer: AgentLogic<unknown, void>
  readonly evaluator: AgentLogic<unknown, void>
} & WordingAgents

/** Makes the agents. */
export function createAgents({
  now = systemClock.now,
  tscPath = findCompilerHere(),
  modelKey = process.env['CALLBOARD_MODEL_KEY'],
}: EvolutionOptions = {}): EvolutionAgents {
  return {
    scout: createScout(),
    analyst: createAnalyst(now),
    researcher: createResearcher(now),
    planner: createPlanner(now),
    person: board.person('approval'),
    implementer: createImplementer({ now, tscPath }),
    evaluator: createEvaluator(now),
    ...createWordingAgents({ apiKey: modelKey }),
  }
}

/** Finds the source files. */
function createScout(): EvolutionAgents['scout'] {
  return board.agent({
    role: 'scout',
    reads: ['sources'],
    writes: ['sources'],
    input: Place,
    async run({ input, view, update, progress, signal }) {
      if (view.has('sources')) return
      const sources = await findSources({ path: input.path, signal })
      progress({ message: `${sources.files.length} files` })
      await update({ sources })
    },
  })
}

/** Measures the project as it is. */
function createAnalyst(now: () => number): EvolutionAgents['analyst'] {
  return board.agent({
    role: 'analyst',
    reads: ['sources', 'analysis.original'],
    writes: ['analysis.original'],
    async run({ view, update, progress, signal }) {
      if (view.has('analysis.original')) return
      const sources = view.getOrThrow('sources')
      const analysis = await analyse({ sources, now, signal, onProgress: tellingOf(progress, 'measures') })
      assertParses(analysis)
      await update({ 'analysis.original': analysis })
    },
  })
}

/** Reads what the project says about itself, and what is known of good practice. */
function createResearcher(now: () => number): EvolutionAgents['researcher'] {
  return board.agent({
    role: 'researcher',
    reads: ['sources', 'research.external'],
    writes: ['research.external'],
    async run({ view, update, progress, signal }) {
      if (view.has('research.external')) return
      const sources = view.getOrThrow('sources')
      const found = await research({ sources, now, signal, onProgress: tellingOf(progress, 'reads') })
      await update({ 'research.external': found })
    },
  })
}

/** Waits for analysis and research and makes tasks of them. */
function createPlanner(now: () => number): EvolutionAgents['planner'] {
  return board.agent({
    role: 'planner',
    reads: ['meta', 'analysis.original', 'research.external', 'plan.improvement'],
    writes: ['plan.improvement'],
    async run({ view, waitForAll, update, progress }) {
      if (view.has('plan.improvement')) return
      // Without a limit: how long it takes depends on the project, and if an agent fails, the machine ends this one too.
      const known = await waitForAll(['analysis.original', 'research.external'], { timeoutMs: Infinity })
      const { focusAreas: focus } = view.getOrThrow('meta')
      const plan = makePlan({ analysis: known['analysis.original'], research: known['research.external'], focus, now })
      progress({ message: `${plan.tasks.length} tasks, ${countAutomatic(plan)} of them automatic` })
      await update({ 'plan.improvement': plan })
    },
  })
}

/** Compares before, plan and after. */
function createEvaluator(now: () => number): EvolutionAgents['evaluator'] {
  return board.agent({
    role: 'evaluator',
    reads: ['analysis.original', 'plan.improvement', 'implementation.log', 'state.current', 'evaluation.results'],
    writes: ['evaluation.results'],
    async run({ view, update }) {
      if (view.has('evaluation.results')) return
      const before = view.getOrThrow('analysis.original')
      const plan = view.getOrThrow('plan.improvement')
      const implementation = view.getOrThrow('implementation.log')
      const after = view.getOrThrow('state.current')
      await update({ 'evaluation.results': evaluate({ before, plan, implementation, after, now }) })
    },
  })
}

/** The TypeScript compiler that this project itself uses, where it is installed. */
function findCompilerHere(): string | undefined {
  try {
    return createRequire(import.meta.url)
      .resolve('typescript/package.json')
      .replace('package.json', 'bin/tsc')
  } catch {
    return undefined
  }
}
