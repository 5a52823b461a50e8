// Requests made from the OpenAPI document, fitting and not: whatever is asked, the answer is one of those that are documented
// and has the form that is documented, and the server goes on.
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ValidateFunction } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createServerWorld } from './world.ts'
import type { World } from './world.ts'

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: unknown
  readonly items?: Schema
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
}

interface Operation {
  readonly parameters: readonly {
    readonly name: string
    readonly in: 'path' | 'query' | 'header'
    readonly required: boolean
    readonly schema: Schema
  }[]
  readonly requestBody?: { readonly content: { readonly 'application/json'?: { readonly schema: Schema } } }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

const REQUESTS = 10_000
const SEED = 20_261_121

/** Ids and keys that mean something here come up often, and anything else too. */
const name = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('r1', 't1', 'desk', 'writer', 'reviewer', 'notes', 'plan', 'any.a', 'ann', '1'),
  },
  { weight: 1, arbitrary: fc.string({ minLength: 1 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('../x', '__proto__', 'a\r\nb', '\u0000', '%', '\uD800', '💥', 'x'.repeat(2_000)),
  },
)

/** What is there, by the name of the parameter. */
const THERE: Readonly<Record<string, string>> = {
  runId: 'r1',
  run_id: 't1',
  name: 'desk',
  agent: 'writer',
  sessionId: 'ann',
  point: '2',
}

function idFor(parameter: string): fc.Arbitrary<string> {
  const there = THERE[parameter]
  if (there === undefined) return name
  return fc.oneof({ weight: 9, arbitrary: fc.constant(there) }, { weight: 1, arbitrary: name })
}

/** Values that fit a schema, mostly. */
function fitting(schema: Schema, parts: Document['components']['schemas']): fc.Arbitrary<unknown> {
  const { $ref, type, anyOf, oneOf, properties, required = [], items } = schema
  if ($ref !== undefined) return fitting(parts[$ref.split('/').at(-1) ?? ''] ?? {}, parts)
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const either = anyOf ?? oneOf
  if (either !== undefined) return fc.oneof(...either.map((each) => fitting(each, parts)))
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(([key, field]) => [key, fitting(field, parts)] as const)
    return fc.record(Object.fromEntries(fields), { requiredKeys: [...required] })
  }
  switch (type) {
    case 'string':
      return schema.pattern?.includes('d{1,') === true ? fc.integer({ min: -2, max: 60 }).map(String) : name
    case 'integer':
      return fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: Math.max(schema.minimum ?? -5, -5) }))
    case 'number':
      return fc.double()
    case 'boolean':
      return fc.boolean()
    case 'array':
      return fc.array(fitting(items ?? {}, parts), { maxLength: 4 })
    case 'object':
      return fc.dictionary(name, fc.jsonValue(), { maxKeys: 4 })
    case 'null':
      return fc.constant(null)
    default:
      return fc.jsonValue()
  }
}

/** What fits, with something else in one place or as a whole. */
function anything(schema: Schema, parts: Document['components']['schemas']): fc.Arbitrary<unknown> {
  const fits = fitting(schema, parts)
  const spoilt = fc
    .tuple(fits, name, fc.jsonValue())
    .map(([value, key, other]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value, [key]: other } : other,
    )
  return fc.oneof(
    { weight: 6, arbitrary: fits },
    { weight: 3, arbitrary: spoilt },
    { weight: 1, arbitrary: fc.jsonValue() },
  )
}

interface Asked {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

function requests(path: string, operation: Operation, parts: Document['components']['schemas']): fc.Arbitrary<Asked> {
  const parameters = fc.tuple(
    ...operation.parameters.map((parameter) => {
      const value =
        parameter.in === 'path'
          ? idFor(parameter.name)
          : parameter.name === 'Idempotency-Key'
            ? fc.uuid()
            : fitting(parameter.schema, parts).map(String)
      return fc.tuple(
        fc.constant(parameter),
        parameter.required ? value : fc.option(value, { nil: undefined, freq: 1 }),
      )
    }),
  )
  const schema = operation.requestBody?.content['application/json']?.schema
  const body =
    schema === undefined
      ? operation.requestBody === undefined
        ? fc.constant(undefined)
        : fc.string()
      : anything(schema, parts).map((value) => JSON.stringify(value))
  return fc.tuple(parameters, body).map(([given, text]) => {
    let full = path
    const query = new URLSearchParams()
    const headers: Record<string, string> = {}
    for (const [parameter, value] of given) {
      if (value === undefined) continue
      const wellFormed = value.toWellFormed()
      if (parameter.in === 'path') full = full.replace(`{${parameter.name}}`, encodeURIComponent(wellFormed))
      else if (parameter.in === 'query') query.set(parameter.name, wellFormed)
      else if (/^[\u0020-\u007E]+$/.test(value)) headers[parameter.name] = value
    }
    // The virtual clock stands still: nobody waits.
    if (full.includes('/waits/')) query.set('timeoutMs', '0')
    return { path: `${full}?${query.toString()}`, headers, body: text }
  })
}

describe('whatever is asked', () => {
  it(`is answered as documented: ${REQUESTS} requests, no 5xx, and the server goes on`, async () => {
    const world = await createServerWorld()
    const document = (await world.ask('GET', '/openapi.json')).body as Document
    const parts = document.components.schemas
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    ajv.addSchema(document, 'document')
    const validators = new Map<string, ValidateFunction>()
    const validatorOf = (pointer: string): ValidateFunction => {
      const known = validators.get(pointer)
      if (known !== undefined) return known
      const made = ajv.compile({ $ref: `document#${pointer}` })
      validators.set(pointer, made)
      return made
    }
    const cells = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    )
    const perOperation = Math.ceil(REQUESTS / cells.length)
    const statuses = new Map<number, number>()
    let asked = 0
    for (const { path, method, operation } of cells) {
      await prepare(world)
      const samples = fc.sample(requests(path, operation, parts), { numRuns: perOperation, seed: SEED })
      for (const request of samples) {
        const what = `seed ${SEED}: ${method} ${JSON.stringify(request)}`
        const response = await world.app.hono.request(`http://localhost${request.path}`, {
          method: method.toUpperCase(),
          headers: {
            ...request.headers,
            ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(request.body === undefined ? {} : { body: request.body }),
        })
        asked += 1
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
        expect(response.status, what).toBeLessThan(500)
        const documented = operation.responses[String(response.status)]
        // A path with a dot segment is another path.
        if (documented === undefined && [404, 405].includes(response.status)) {
          await response.text()
          continue
        }
        expect(documented, `${what}: ${response.status} is not documented`).toBeDefined()
        const type = response.headers.get('content-type')?.split(';')[0] ?? ''
        if (type === 'text/event-stream' || type === 'application/zip') {
          await response.body?.cancel()
          continue
        }
        const text = await response.text()
        if (documented?.content === undefined) continue
        const encoded = [path, method].map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'))
        expect(Object.keys(documented.content), what).toContain(type)
        const pointer = `/paths/${encoded.map(encodeURIComponent).join('/')}/responses/${response.status}/content/${encodeURIComponent(type.replaceAll('/', '~1'))}/schema`
        const validate = validatorOf(pointer)
        expect(validate(JSON.parse(text)), `${what}: ${text.slice(0, 300)} ${JSON.stringify(validate.errors)}`).toBe(
          true,
        )
      }
    }
    expect(asked).toBeGreaterThanOrEqual(REQUESTS)
    // Both what fits and what does not was really asked.
    expect((statuses.get(200) ?? 0) + (statuses.get(201) ?? 0)).toBeGreaterThan(REQUESTS / 4)
    expect(statuses.get(422) ?? 0).toBeGreaterThan(REQUESTS / 20)
    expect((await world.ask('GET', '/health')).status).toBe(200)
  })
})

/** What the names above mean is there; it may have been stopped or forgotten by what was asked. */
async function prepare({ ask, runtime }: World): Promise<void> {
  const isActive = runtime.get('r1')?.status === 'active'
  if (!isActive) {
    await ask('DELETE', '/api/runs/r1')
    await ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
    await ask('POST', '/api/runs/r1/updates', { body: { set: { notes: ['a'], plan: { title: 'b' } } } })
  }
  await ask('PATCH', '/api/sessions/ann', { body: { part: { a: 1 } } })
  await ask('POST', '/runs', { body: { objective: 'a', run_id: 't1' } })
}
