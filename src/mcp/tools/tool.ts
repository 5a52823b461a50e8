// Tool: what a client may have done, as data; one list gives each caller its tools, and what is not in it is not there.
import type { z } from 'zod'
import type { McpCaller } from '../caller.ts'
import type { Desk } from '../desk.ts'

/** What comes of a tool. */
export interface ToolAnswer {
  readonly data: Readonly<Record<string, unknown>>
  /** What a person or model reads; the data as JSON unless given. */
  readonly text?: string
  /** It was understood and did not come to pass: a refusal, a timeout. */
  readonly hasFailed?: boolean
}

export interface ToolDefinition<Input extends z.ZodObject> {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly callers: readonly McpCaller['kind'][]
  readonly input: Input
  /** What it does beside answering; nothing unless given. `repeatable`: twice is as good as once. */
  readonly effect?: 'writes' | 'repeatable' | 'ends'
  readonly needsMemory?: boolean
  run(desk: Desk, input: z.output<Input>, signal: AbortSignal): Promise<ToolAnswer>
}

export interface Tool extends Omit<ToolDefinition<z.ZodObject>, 'run'> {
  run(desk: Desk, input: unknown, signal: AbortSignal): Promise<ToolAnswer>
}

export const EVERYBODY: readonly McpCaller['kind'][] = ['agent', 'operator', 'reader']
export const SEES_ALL: readonly McpCaller['kind'][] = ['operator', 'reader']
export const OPERATOR: readonly McpCaller['kind'][] = ['operator']
export const ACTS: readonly McpCaller['kind'][] = ['agent', 'operator']

/** Keeps what a tool takes and what its `run` is given one thing. */
export function tool<Input extends z.ZodObject>(definition: ToolDefinition<Input>): Tool {
  return definition as unknown as Tool
}
