// What is known of a schema beside its code: a short print that tells whether its shape has changed, and whether a value
// that was stored under an older one still fits.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../base/index.ts'
import { parseBy } from '../context/index.ts'

/** What says something about values; titles, descriptions, defaults and examples do not. */
const KEYWORDS = new Set([
  '$defs',
  '$ref',
  'additionalProperties',
  'allOf',
  'anyOf',
  'const',
  'contentEncoding',
  'enum',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'format',
  'items',
  'maxItems',
  'maxLength',
  'maximum',
  'minItems',
  'minLength',
  'minimum',
  'multipleOf',
  'not',
  'oneOf',
  'pattern',
  'prefixItems',
  'properties',
  'propertyNames',
  'required',
  'type',
])
const PRINT_CHARACTERS = 12

interface Shape {
  readonly print: string
  /** What it takes is not what it gives: a value that it gave cannot be given to it again. */
  readonly converts: boolean
}

const shapes = new WeakMap<z.ZodType, Shape>()

/** A short text that is another one when the shape of the values is; names of keys may stand in any order. */
export function schemaPrint(schema: z.ZodType): string {
  return shapeOf(schema).print
}

/** Why a value that was stored does not fit a schema, or undefined. What a conversion gave cannot be checked. */
export function schemaIssue(schema: z.ZodType, value: unknown): string | undefined {
  const parsed = parseBy(schema, value)
  if (parsed.success || shapeOf(schema).converts) return undefined
  const { path, problem } = parsed
  return path === '' ? problem : `at ${path}: ${problem}`
}

function shapeOf(schema: z.ZodType): Shape {
  const known = shapes.get(schema)
  if (known !== undefined) return known
  let converts = false
  const json = describe(schema, (kind) => {
    converts ||= kind === 'pipe' || kind === 'transform'
  })
  const print = createHash('sha256').update(canonicalJson(json)).digest('hex').slice(0, PRINT_CHARACTERS)
  const shape: Shape = Object.freeze({ print, converts })
  shapes.set(schema, shape)
  return shape
}

function describe(schema: z.ZodType, onKind: (kind: string) => void): unknown {
  try {
    return z.toJSONSchema(schema, {
      io: 'output',
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => {
        const { type: kind } = zodSchema._zod.def
        onKind(kind)
        const said = jsonSchema as Record<string, unknown>
        for (const keyword of Object.keys(said)) if (!KEYWORDS.has(keyword)) delete said[keyword]
        for (const list of ['required', 'enum'] as const)
          if (Array.isArray(said[list])) said[list] = said[list].map(String).sort()
        // Dates, maps and the like have no words in JSON Schema; whether something is optional says `required`.
        if (Object.keys(said).length === 0) said['kind'] = kind
      },
    })
  } catch {
    return { kind: schema._zod.def.type }
  }
}
