// Client: a server's runs, in the words of a runtime.
import type { AnyStateMachine } from 'xstate'
import { CallboardError, systemClock } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import type { Labels, RunFilter, RunSummary } from '../store/index.ts'
import type { WorkflowInput, WorkflowOutput, WorkflowTaken, WorkflowValues } from '../workflow/index.ts'
import { workflowOf } from '../workflow/index.ts'
import { RemoteRun } from './remote-run.ts'
import { Transport } from './transport.ts'
import { valueToWire } from './writes.ts'

export interface ClientOptions {
  /** Of the server: `http://127.0.0.1:8000`. */
  readonly url: string
  /** What `callboard token add` has shown; none for a server that asks for none. */
  readonly token?: string
  readonly clock?: Clock
  readonly fetch?: typeof globalThis.fetch
}

export interface RemoteStartOptions<Input> {
  readonly input?: Input
  /** Chosen by the server unless given. */
  readonly runId?: string
  readonly labels?: Labels
}

/** `input` may be left out only where the workflow takes none. */
type StartArguments<Input> = undefined extends Input
  ? [options?: RemoteStartOptions<Input>]
  : [options: RemoteStartOptions<Input> & { readonly input: Input }]

type RunOf<Machine extends AnyStateMachine> = RemoteRun<
  WorkflowOutput<Machine>,
  WorkflowValues<Machine>,
  WorkflowTaken<Machine>
>

export class Client {
  readonly #transport: Transport

  /** Use `createClient`. */
  constructor({ url, token, clock = systemClock, fetch = (...args) => globalThis.fetch(...args) }: ClientOptions) {
    this.#transport = new Transport({ url, token, clock, fetch })
  }

  /**
   * Starts a run of a workflow that the server knows: the workflow itself, or its name with its type:
   * `client.start<typeof desk>('desk')`.
   * @throws CallboardError `run.input`, `run.exists`, `server.not-found` for a workflow that is not there
   */
  async start<Machine extends AnyStateMachine>(
    workflow: Machine | string,
    ...[options = {}]: StartArguments<WorkflowInput<Machine>>
  ): Promise<RunOf<Machine>> {
    const { input, runId, labels } = options
    const body = {
      workflow: typeof workflow === 'string' ? workflow : nameOf(workflow),
      ...(input === undefined ? {} : { input: valueToWire(input) }),
      ...(runId === undefined ? {} : { runId }),
      ...(labels === undefined ? {} : { labels }),
    }
    const started = (await this.#transport.ask({ method: 'POST', path: '/api/runs', body })) as RunSummary
    return this.run<Machine>(started.runId)
  }

  /** A run by its id; nothing is asked for yet: `client.run<typeof desk>('first')`. */
  run<Machine extends AnyStateMachine = AnyStateMachine>(runId: string): RunOf<Machine> {
    return new RemoteRun(this.#transport, runId) as RunOf<Machine>
  }

  /** What is known of the runs there, oldest first. */
  async list(filter: RunFilter = {}): Promise<readonly RunSummary[]> {
    const all: RunSummary[] = []
    for (let cursor: string | undefined; ;) {
      const query = { ...filter, cursor }
      const page = (await this.#transport.ask({ method: 'GET', path: '/api/runs', query })) as {
        readonly items: readonly RunSummary[]
        readonly next: string | null
      }
      all.push(...page.items)
      if (page.next === null) return all
      cursor = page.next
    }
  }
}

/** Makes a client of a server. */
export function createClient(options: ClientOptions): Client {
  return new Client(options)
}

function nameOf(machine: AnyStateMachine): string {
  const definition = workflowOf(machine)
  if (definition !== undefined) return definition.name
  throw new CallboardError(
    'workflow.unknown',
    `machine "${machine.id}" is not a workflow; make it with defineContext(…).workflow(…).createMachine(…), or name one`,
    { machine: machine.id },
  )
}
