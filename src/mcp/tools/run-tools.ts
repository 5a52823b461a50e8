import { z } from 'zod'
import { fromTagged } from '../../base/index.ts'
import { chartOf, toMermaid } from '../../graph/index.ts'
import { jsonSchemaOf } from '../../runtime/index.ts'
import { definitionOf } from '../desk.ts'
import { runToWire, summaryToWire } from '../wire.ts'
import { ACTS, EVERYBODY, OPERATOR, SEES_ALL, tool } from './tool.ts'
import type { Tool } from './tool.ts'

export const runId: z.ZodString = z.string().describe('the id of a run, as list_runs names it')
const STATUSES = ['active', 'done', 'error', 'stopped'] as const

/** Tools about whole runs. */
export const RUN_TOOLS: readonly Tool[] = [
  tool({
    name: 'list_workflows',
    title: 'List workflows',
    description: 'The workflows that can be started here, with the JSON Schema of their input and their agents.',
    callers: SEES_ALL,
    input: z.strictObject({}),
    run: async ({ workflows }) => ({
      data: {
        workflows: workflows.map(definitionOf).map(({ name, input, agents }) => ({
          name,
          input: jsonSchemaOf(input),
          agents: [...agents].map(([type, { description, reads, writes }]) => ({ type, description, reads, writes })),
        })),
      },
    }),
  }),
  tool({
    name: 'start_run',
    title: 'Start a run',
    description: 'Starts a run of a workflow and gives its id.',
    callers: OPERATOR,
    effect: 'writes',
    input: z.strictObject({
      workflow: z.string().describe('its name, as list_workflows gives it'),
      input: z.unknown().optional().describe("what the workflow's input schema asks for"),
      runId: z.string().optional().describe('chosen for you unless given'),
      labels: z.record(z.string(), z.string()).optional().describe('short texts to know the run by'),
    }),
    run: async (desk, { workflow, input, runId: id, labels }) => {
      const options = {
        input: fromTagged(input),
        ...(id === undefined ? {} : { runId: id }),
        ...(labels === undefined ? {} : { labels }),
      }
      const run = await desk.runtime.start(desk.workflow(workflow), options as never)
      return { data: runToWire(desk, run) }
    },
  }),
  tool({
    name: 'list_runs',
    title: 'List runs',
    description: 'The runs you have to do with, the newest last.',
    callers: EVERYBODY,
    input: z.strictObject({
      status: z.enum(STATUSES).optional(),
      workflow: z.string().optional(),
      limit: z.int().min(1).max(1_000).optional().describe('the newest so many; 100 unless given'),
    }),
    run: async (desk, { status, workflow, limit = 100 }) => {
      const runs = (await desk.runs(status)).filter((run) => workflow === undefined || run.workflow === workflow)
      return { data: { runs: runs.slice(-limit).map(summaryToWire) } }
    },
  }),
  tool({
    name: 'show_run',
    title: 'Show a run',
    description:
      'Whether a run goes on. Operators and readers are also told its state, what people are asked, and why it does not move: who waits for what, and who could provide it.',
    callers: EVERYBODY,
    input: z.strictObject({ runId }),
    run: async (desk, { runId: id }) => ({ data: runToWire(desk, await desk.run(id)) }),
  }),
  tool({
    name: 'send_event',
    title: 'Send an event',
    description: 'Sends an event to the machine of a run and says whether the machine took it (null for agents).',
    callers: ACTS,
    effect: 'writes',
    input: z.strictObject({
      runId,
      type: z.string().min(1),
      payload: z.looseObject({}).optional().describe('the other fields of the event'),
    }),
    run: async (desk, { runId: id, type, payload = {} }) => {
      const run = await desk.run(id)
      const taken = await run.send({ ...(fromTagged(payload) as object), type })
      // Which events the machine takes tells of its state.
      return { data: { taken: desk.agent === undefined ? taken : null } }
    },
  }),
  tool({
    name: 'answer_request',
    title: 'Answer a request',
    description: 'Answers something a person is asked in a run, once. show_run lists the open requests.',
    callers: OPERATOR,
    effect: 'writes',
    input: z.strictObject({
      runId,
      requestId: z.string(),
      answer: z.unknown().describe("what the request's schema asks for"),
    }),
    run: async (desk, { runId: id, requestId, answer }) => {
      const { caller } = desk
      const by = caller.kind === 'operator' ? caller.name : undefined
      await (await desk.run(id)).answer(requestId, fromTagged(answer), by === undefined ? {} : { by })
      return { data: { answered: requestId } }
    },
  }),
  tool({
    name: 'stop_run',
    title: 'Stop a run',
    description: 'Ends a run for good.',
    callers: OPERATOR,
    effect: 'ends',
    input: z.strictObject({ runId, reason: z.string().optional() }),
    run: async (desk, { runId: id, reason }) => {
      const run = await desk.run(id)
      await run.stop(reason)
      return { data: runToWire(desk, run) }
    },
  }),
  tool({
    name: 'draw_chart',
    title: 'Draw the chart',
    description: 'The states of a workflow and what its agents read and write, as a Mermaid diagram.',
    callers: SEES_ALL,
    input: z.strictObject({ workflow: z.string().describe('its name, as list_workflows gives it') }),
    run: async (desk, { workflow }) => {
      const mermaid = toMermaid(chartOf(desk.workflow(workflow)))
      return { data: { workflow, mermaid }, text: mermaid }
    },
  }),
]
