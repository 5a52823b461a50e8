// Operation: one route: who may use it, what it takes, what it gives, what it does. The same declaration makes the route and
// its part of the OpenAPI document.
import type { z } from 'zod'
import type { Access, Caller } from './caller.ts'
import type { House } from './house.ts'
import type { ServerServices } from './services.ts'

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

/** The names in braces of a path. */
export type PathParams<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [Key in Name]: string } & PathParams<Rest>
  : unknown

/** What a handler is given. */
export interface Call<Params, Query, Body> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly caller: Caller
  readonly house: House
  readonly request: Request
  readonly services: ServerServices
  readonly requestId: string
  /** Ends the connection, whatever its reader does. */
  readonly hangUp: () => void
  /** The number of If-Match, where one was sent. */
  readonly ifMatch: number | undefined
}

/** What a handler gives; a `Response` is sent as it is. */
export interface Answer {
  readonly status?: number
  readonly body: unknown
  /** Makes the ETag, together with what is shown; asking with If-None-Match gives 304. */
  readonly version?: number | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer as it is documented. */
export interface DocumentedAnswer {
  readonly description: string
  readonly schema?: z.ZodType
  /** `application/json` unless given. */
  readonly type?: string
}

export interface Operation {
  readonly method: Method
  readonly path: string
  readonly access: Access
  readonly tag: string
  readonly summary: string
  readonly query?: z.ZodType | undefined
  readonly body?: z.ZodType | undefined
  /** The body is a file of this type, given as bytes. */
  readonly file?: 'application/zip'
  /** A protocol behind one path: it tells itself what it writes, and knows nothing of idempotency keys. */
  readonly speaks?: 'mcp'
  /** By status; what every operation may answer (401, 403, 413, 422, 429, …) is not said again. */
  readonly answers: Readonly<Record<number, DocumentedAnswer>>
  readonly handle: (call: Call<unknown, unknown, unknown>) => Promise<Answer | Response>
}

/** Declares an operation. Path parameters are texts, named in braces. */
export function operation<const Path extends string, Query extends z.ZodType, Body extends z.ZodType>(
  declared: Omit<Operation, 'path' | 'query' | 'body' | 'handle'> & {
    readonly path: Path
    readonly query?: Query
    readonly body?: Body
    readonly handle: (call: Call<PathParams<Path>, z.output<Query>, z.output<Body>>) => Promise<Answer | Response>
  },
): Operation {
  return declared as unknown as Operation
}

/** The names of a path's parameters. */
export function paramsOf(path: string): readonly string[] {
  return [...path.matchAll(/\{(?<name>[^}]+)\}/g)].map(({ groups }) => groups?.['name'] ?? '')
}
