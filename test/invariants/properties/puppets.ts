// A run whose agents do nothing by themselves: a property moves them like puppets, from outside.
import type { z } from 'zod'
import type {
  AgentContext,
  AgentLogic,
  ContextDefinition,
  Grants,
  Run,
  Runtime,
  RuntimeOptions,
  Scope,
} from 'callboard'
import { createTestClock } from '../../support/clock.ts'
import type { TestClock } from '../../support/clock.ts'
import type { Modules } from './modules.ts'

export type PuppetContext = AgentContext<Record<string, unknown>, Record<string, unknown>, unknown>

/** The rights of one puppet; it is registered and invoked under the same name. */
export interface PuppetRights {
  readonly role?: string
  readonly reads?: readonly string[]
  readonly writes?: readonly string[]
  readonly groups?: readonly string[]
  readonly grants?: Grants
  readonly scopes?: readonly Scope[]
  readonly input?: z.ZodType
}

export interface PuppetShow<Names extends string> {
  readonly runtime: Runtime
  readonly run: Run
  readonly clock: TestClock
  readonly agents: Readonly<Record<Names, PuppetContext>>
}

/** Starts a run in which every puppet is invoked and stays; `machine` adds to the machine's config. */
export async function startPuppets<Names extends string>(
  { workflow, runtime: { createRuntime } }: Modules,
  definitions: Parameters<Modules['workflow']['defineContext']>[0],
  rights: Readonly<Record<Names, PuppetRights>>,
  options: RuntimeOptions & {
    readonly machine?: (board: ContextDefinition<Record<string, unknown>>) => object
  } = {},
): Promise<PuppetShow<Names>> {
  const { machine = () => ({}), ...runtimeOptions } = options
  const clock = createTestClock()
  const board = workflow.defineContext(definitions) as unknown as ContextDefinition<Record<string, unknown>>
  const contexts: Record<string, PuppetContext> = {}
  const agents: Record<string, AgentLogic<unknown, unknown>> = {}
  const regions: Record<string, object> = {}
  for (const [name, own] of Object.entries<PuppetRights>(rights)) {
    agents[name] = board.agent({ ...own, run: (context: PuppetContext) => hang(contexts, context) } as never)
    regions[name] = { invoke: { src: name } }
  }
  const definition = board
    .workflow({ agents })
    .createMachine({ id: 'puppets', type: 'parallel', states: regions, ...machine(board) } as never)
  const runtime = await createRuntime({ clock, ...runtimeOptions })
  const run = await runtime.start(definition, { runId: 'run' } as never)
  await clock.settle()
  return { runtime, run, clock, agents: contexts as Record<Names, PuppetContext> }
}

/** Hands the agent's context out and never ends by itself. */
function hang(contexts: Record<string, PuppetContext>, context: PuppetContext): Promise<never> {
  contexts[context.id] = context
  return new Promise(() => {})
}
