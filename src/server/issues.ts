// Issues: what is wrong with a request, from zod's words into FastAPI's, which existing clients know.
import type { z } from 'zod'
import { thrown } from './problem.ts'
import type { Issue } from './problem.ts'

export type Place = 'body' | 'path' | 'query' | 'header'

type ZodIssue = z.core.$ZodIssue

/** @throws a problem with every issue, `server.invalid` */
export function parseAt<Schema extends z.ZodType>(schema: Schema, value: unknown, place: Place): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.flatMap((issue) => issuesOf(issue, value, place))
  const [first] = issues
  const where = first === undefined ? place : first.loc.join('.')
  throw thrown({
    status: 422,
    code: 'server.invalid',
    message: `${where}: ${first?.msg ?? 'invalid'}; correct the request`,
    issues,
  })
}

function issuesOf(issue: ZodIssue, whole: unknown, place: Place): readonly Issue[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  const input = at(whole, path)
  const loc = [place, ...path]
  if (whole === undefined && path.length === 0) return [{ type: 'missing', loc, msg: 'Field required', input: null }]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      type: 'extra_forbidden',
      loc: [...loc, key],
      msg: 'Extra inputs are not permitted',
      input: at(input, [key]) ?? null,
    }))
  }
  if (input === undefined) {
    return [{ type: 'missing', loc, msg: 'Field required', input: at(whole, path.slice(0, -1)) ?? null }]
  }
  return [{ type: typeOf(issue), loc, msg: issue.message, input: input ?? null }]
}

function typeOf(issue: ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPES[issue.expected] ?? `${issue.expected}_type`
    case 'too_small':
      return `${issue.origin}_too_small`
    case 'too_big':
      return `${issue.origin}_too_big`
    case 'invalid_value':
      return 'literal_error'
    case 'invalid_format':
      return 'string_pattern_mismatch'
    default:
      return 'value_error'
  }
}

const TYPES: Readonly<Record<string, string>> = {
  object: 'dict_type',
  record: 'dict_type',
  array: 'list_type',
  boolean: 'bool_type',
  number: 'float_type',
}

function at(value: unknown, path: readonly (string | number)[]): unknown {
  let found = value
  for (const part of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, part)) return undefined
    found = (found as Readonly<Record<string | number, unknown>>)[part]
  }
  return found
}
