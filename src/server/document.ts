// Document: the operations as an OpenAPI 3.1 document, from the same schemas that check requests.
import { z } from 'zod'
import { rolesOf } from './caller.ts'
import { paramsOf } from './operation.ts'
import type { DocumentedAnswer, Operation } from './operation.ts'
import { meaningOf } from './parameters.ts'
import { isAos } from './problem.ts'

/** Every problem, whatever its status. */
export const ProblemBody = z
  .looseObject({
    detail: z.union([
      z.string(),
      z.array(
        z.strictObject({
          type: z.string(),
          loc: z.array(z.union([z.string(), z.int()])),
          msg: z.string(),
          input: z.unknown(),
        }),
      ),
    ]),
    error: z.string(),
    code: z.string().optional(),
    status: z.int().optional(),
    title: z.string().optional(),
    type: z.string().optional(),
    requestId: z.string().optional(),
  })
  .meta({ id: 'Problem' })

const SECURITY = 'token'
const FAILED = 400

type Schema = Readonly<Record<string, unknown>>

/** What the document is made with: parts of schemas that have a name are written once. */
class Components {
  readonly #schemas = new Map<string, Schema>()

  /** The schema, with references to its named parts. */
  add(schema: z.ZodType, io: 'input' | 'output'): Schema {
    const {
      $schema: _dialect,
      $defs = {},
      ...made
    } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Schema & {
      readonly $defs?: Readonly<Record<string, Schema>>
    }
    for (const [name, part] of Object.entries($defs)) this.#schemas.set(name, lifted(part))
    return lifted(made)
  }

  get schemas(): Readonly<Record<string, Schema>> {
    return Object.fromEntries([...this.#schemas].toSorted(([one], [other]) => (one < other ? -1 : 1)))
  }
}

/** In a document, named parts stand under `components`. */
function lifted(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as Schema
}

export function documentOf(operations: readonly Operation[]): object {
  const components = new Components()
  const paths: Record<string, Record<string, object>> = {}
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: describe(operation, components) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Callboard',
      version: '1',
      description: 'Runs of multi-agent workflows, and working sets as the AoS Context Module has them.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name, description: TAGS[name] ?? name })),
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: {
        [SECURITY]: {
          type: 'http',
          scheme: 'bearer',
          description: 'callboard token add makes one; a server that never had any asks for none',
        },
      },
    },
  }
}

const TAGS: Readonly<Record<string, string>> = {
  server: 'The server itself',
  workflows: 'What can be started',
  runs: 'Runs and what is sent to them',
  entries: 'What is on their boards',
  agents: 'What agents see and wait for',
  people: 'What people are asked',
  packs: 'Runs as files',
  history: 'What has happened',
  streams: 'What happens now',
  memory: 'What outlives runs',
  sessions: 'Plain contexts with a life time',
  context: 'Evolutions, as S1 has them',
  mcp: 'The same for clients of the Model Context Protocol',
  aos: 'Working sets, as the AoS Context Module has them',
}

function describe(operation: Operation, components: Components): object {
  const { path, access, tag, summary, body } = operation
  const answers = Object.entries({ ...commonAnswers(operation), ...operation.answers })
  return {
    operationId: operationIdOf(operation),
    summary,
    tags: [tag],
    security: access === 'public' ? [] : [{ [SECURITY]: [] }],
    'x-callboard-roles': rolesOf(access),
    parameters: [
      ...paramsOf(path).map((name) => ({
        name,
        in: 'path',
        required: true,
        description: meaningOf(name),
        schema: { type: 'string', minLength: 1 },
      })),
      ...queryParameters(operation, components),
      ...headersOf(operation),
    ],
    ...(operation.file === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { [operation.file]: { schema: { type: 'string', format: 'binary' } } },
          },
        }),
    ...(body === undefined
      ? {}
      : {
          requestBody: { required: true, content: { 'application/json': { schema: components.add(body, 'input') } } },
        }),
    responses: Object.fromEntries(
      answers.map(([status, answer]) => [
        status,
        responseOf(Number(status) < FAILED ? answer : withProblem(path, answer), components),
      ]),
    ),
  }
}

function queryParameters({ query }: Operation, components: Components): readonly object[] {
  if (query === undefined) return []
  const { properties = {}, required = [] } = components.add(query, 'input') as {
    readonly properties?: Readonly<Record<string, Schema>>
    readonly required?: readonly string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    description: meaningOf(name, schema),
    schema,
  }))
}

const IF_MATCH = '^"[0-9]+(-[A-Za-z0-9_-]{16})?"$'

function headersOf({ access, method, answers, speaks }: Operation): readonly object[] {
  const header = (name: string, description: string, schema: object): object => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string', ...schema },
  })
  if (access === 'public') return []
  return [
    ...(method === 'get' || speaks !== undefined
      ? []
      : [header('Idempotency-Key', 'carried out once', { minLength: 1, maxLength: 255 })]),
    ...(answers[412] === undefined
      ? []
      : [header('If-Match', 'the ETag that is expected; of it, the number counts', { pattern: IF_MATCH })]),
    ...(answers[304] === undefined ? [] : [header('If-None-Match', 'the ETag that is known', {})]),
  ]
}

function responseOf(
  { description, schema, type = 'application/json' }: DocumentedAnswer,
  components: Components,
): object {
  if (schema === undefined) return { description }
  return { description, content: { [type]: { schema: components.add(schema, 'output') } } }
}

/** What is refused is a problem, unless something else is said. */
function withProblem(path: string, answer: DocumentedAnswer): DocumentedAnswer {
  if (answer.schema !== undefined) return answer
  return { ...answer, schema: ProblemBody, type: isAos(path) ? 'application/json' : 'application/problem+json' }
}

/** What any operation of this kind may answer. */
function commonAnswers({
  access,
  method,
  path,
  body,
  query,
  file,
}: Operation): Readonly<Record<number, DocumentedAnswer>> {
  const problem = (description: string): DocumentedAnswer => withProblem(path, { description })
  const hasParams = paramsOf(path).length > 0
  return {
    ...(access === 'public'
      ? { 403: problem('pages of that origin may not use this server') }
      : {
          401: problem('no token, or a wrong one'),
          403: problem('the role of the token may not do this, or pages of that origin may not'),
          429: problem('too many requests'),
        }),
    ...(hasParams ? { 404: problem('there is none of that id') } : {}),
    ...(method === 'get'
      ? {}
      : { 409: problem('something else is there by now'), 413: problem('the body is too large') }),
    ...(body === undefined && query === undefined && file === undefined && method === 'get'
      ? {}
      : { 422: problem('the request is not valid') }),
    421: problem('the server is not known under that name'),
    503: problem('not at the moment'),
  }
}

/** `getApiRunsRunId`: one name per operation. */
function operationIdOf({ method, path }: Operation): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  return [method, ...words.map((word) => `${word[0]?.toUpperCase() ?? ''}${word.slice(1)}`)].join('')
}
