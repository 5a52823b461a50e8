// Evolution: a workflow that improves a code base and says how far it got. Six agents, and a person where the input asks
// for one, work over one board:
//
//   initialization   scout finds the source files
//   research         analyst measures them and researcher reads the project's own rules, at the same time; planner is
//                    already there and waits for both
//   planning         planner has both and makes tasks of them
//   wording          collector and writer put research, plan and comments into words, where the input names a model
//   approval         a person says yes or no, where the input asks for it
//   implementation   implementer carries the tasks out on a copy, has it compiled and measures it again
//   evaluation       evaluator compares before, plan and after
//
// Nothing of the target is ever changed: what comes out is a patch and the board.
import { patch } from 'callboard'
import type { Workflow } from 'callboard'
import { z } from 'zod'
import { board, countAutomatic, createAgents, describeFailure, Failure, Focus } from './evolution/index.ts'
import type { EvolutionOptions, EvolutionValues, Phase } from './evolution/index.ts'

const Input = z.strictObject({
  /** A file or folder. */
  path: z.string().min(1),
  /** The areas to improve; all of them unless given. */
  focus: z.array(Focus).min(1).default(Focus.options),
  /** Have a person say yes before anything is implemented. */
  approve: z.boolean().default(false),
  /** A language model that puts research, plan and comments into words: `provider/model`, or an address and `#model`. */
  model: z.string().min(1).optional(),
})

const Output = z.strictObject({
  evolutionId: z.string(),
  verdict: z.enum(['success', 'partial', 'failed', 'declined']),
  reason: z.string(),
  /** What made it fail, where that was not the evaluation. */
  error: Failure.nullable(),
  successRate: z.number().nullable(),
  /** The metrics that changed, after minus before. */
  deltas: z.record(z.string(), z.number()),
  /** The project's folder; `paths`, and those in the patch, are relative to it. */
  root: z.string().nullable(),
  /** The files that applying the patch would write. */
  paths: z.array(z.string()),
})
export type EvolutionOutput = z.infer<typeof Output>

/** The workflow: what it takes, what it gives, and what is on its board. */
export type EvolutionWorkflow = Workflow<z.input<typeof Input>, EvolutionOutput, EvolutionValues>

type Reading = Parameters<ReturnType<typeof board.when>>[0]['context']['board']

/** Marks the beginning of a phase. */
const enter = (phase: Phase) =>
  board.write({ meta: patch({ currentPhase: phase, status: `running_${phase}` as const }) })

const end = (status: 'completed' | 'declined' | 'failed') => board.write({ meta: patch({ status }) })

/** The way out when an agent fails: to `failed`, with a line in the error log. */
const fails = (agent: string) => ({
  target: '#failed',
  actions: board.write({ errors: (happened) => [failureOf(agent, happened)] }),
})

function failureOf(agent: string, { context, event }: Happened): Failure {
  return {
    at: new Date(context.board.at).toISOString(),
    phase: context.board.get('meta')?.currentPhase ?? 'initialization',
    agent,
    ...describeFailure(event.error),
  }
}

/** What guards are given. */
interface Judged {
  readonly context: { readonly board: Reading; readonly input: z.output<typeof Input> }
}

/** What the action of a failure is given. */
interface Happened {
  readonly context: { readonly board: Reading }
  readonly event: { readonly error?: unknown }
}

/** Makes the workflow; `evolution` is the one for everybody. In one piece: a machine is read as a whole. */
export function createEvolution(options: EvolutionOptions = {}): EvolutionWorkflow {
  return board
    .workflow({
      name: 'evolution',
      input: Input,
      output: Output,
      agents: createAgents(options),
      guards: {
        knowsProject: ({ context }: Judged) =>
          context.board.has('analysis.original') && context.board.has('research.external'),
        asksModel: ({ context }: Judged) => context.input.model !== undefined,
        needsApproval: ({ context }: Judged) =>
          context.input.approve && board.when('plan.improvement', (plan) => countAutomatic(plan) > 0)({ context }),
        isApproved: board.when('approval', (answer) => answer === 'yes'),
      },
    })
    .createMachine({
      id: 'evolution',
      entry: board.write({
        meta: ({ context }) => ({
          evolutionId: context.board.runId,
          createdAt: new Date(context.board.at).toISOString(),
          targetPath: context.input.path,
          focusAreas: context.input.focus,
          status: 'initialized',
          currentPhase: 'initialization',
        }),
      }),
      initial: 'initialization',
      states: {
        initialization: {
          invoke: {
            src: 'scout',
            input: ({ context }) => ({ path: context.input.path }),
            onDone: 'research',
            onError: fails('scout'),
          },
        },
        research: {
          entry: enter('research'),
          type: 'parallel',
          states: {
            analysis: {
              initial: 'measuring',
              states: {
                measuring: { invoke: { src: 'analyst', onDone: 'measured', onError: fails('analyst') } },
                measured: { type: 'final' },
              },
            },
            practice: {
              initial: 'reading',
              states: {
                reading: { invoke: { src: 'researcher', onDone: 'read', onError: fails('researcher') } },
                read: { type: 'final' },
              },
            },
            plan: {
              invoke: { src: 'planner', onDone: '.planned', onError: fails('planner') },
              initial: 'waiting',
              states: {
                waiting: { always: { guard: 'knowsProject', target: 'planning' } },
                planning: { entry: enter('planning') },
                planned: { type: 'final' },
              },
            },
          },
          onDone: [
            { guard: 'asksModel', target: 'wording' },
            { guard: 'needsApproval', target: 'approval' },
            { target: 'implementation' },
          ],
        },
        wording: {
          initial: 'collecting',
          states: {
            collecting: { invoke: { src: 'collector', onDone: 'writing', onError: fails('collector') } },
            writing: {
              invoke: {
                src: 'writer',
                input: ({ context }) => ({ model: context.input.model ?? '' }),
                onDone: 'written',
                onError: fails('writer'),
              },
            },
            written: { type: 'final' },
          },
          onDone: [{ guard: 'needsApproval', target: 'approval' }, { target: 'implementation' }],
        },
        approval: {
          entry: enter('approval'),
          invoke: {
            src: 'person',
            input: ({ context }) => ({ question: questionFor(context.board) }),
            onDone: [{ guard: 'isApproved', target: 'implementation' }, { target: 'declined' }],
            onError: fails('person'),
          },
        },
        implementation: {
          entry: enter('implementation'),
          invoke: { src: 'implementer', onDone: 'evaluation', onError: fails('implementer') },
        },
        evaluation: {
          entry: enter('evaluation'),
          invoke: { src: 'evaluator', onDone: 'completed', onError: fails('evaluator') },
        },
        completed: { entry: end('completed'), type: 'final' },
        declined: { entry: end('declined'), type: 'final' },
        failed: { id: 'failed', entry: end('failed'), type: 'final' },
      },
      output: ({ context }) => outcomeOf(context.board),
    })
}

export const evolution: EvolutionWorkflow = createEvolution()

export { evolutionsOf as evolutions } from './evolution/index.ts'

/** What came of an evolution, from its board alone. */
function outcomeOf(known: Reading): EvolutionOutput {
  const results = known.get('evaluation.results')
  const changed = results?.metricsComparison.filter(({ delta }) => delta !== 0) ?? []
  const common = {
    evolutionId: known.runId,
    error: null,
    successRate: results?.successRate ?? null,
    deltas: Object.fromEntries(changed.map(({ metric, delta }) => [metric, delta])),
    root: known.get('sources')?.root ?? null,
    paths: [...(known.get('implementation.log')?.modifiedFiles ?? [])],
  }
  const status = known.get('meta')?.status
  if (status === 'declined') return { ...common, verdict: 'declined', reason: 'a person said no to the plan' }
  if (status === 'completed' && results !== undefined)
    return { ...common, verdict: results.verdict, reason: results.reason }
  const error = known.get('errors')?.at(-1) ?? null
  return { ...common, verdict: 'failed', reason: error?.message ?? 'the evolution ended without a result', error }
}

function questionFor(known: Reading): string {
  const plan = known.get('plan.improvement')
  const files = new Set(plan?.tasks.filter(({ automatic }) => automatic).map(({ file }) => file))
  return `carry out ${plan === undefined ? 0 : countAutomatic(plan)} automatic tasks on a copy of ${files.size} files?`
}
