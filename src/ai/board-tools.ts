// Board tools: what a model may do on the board, in the name of its agent and within the agent's rights.
//   B1. What is refused is told to the model with the reason, and the run goes on; only the agent's own end is thrown.
//   B2. An update or a search that was made is not made again after a restart: each is a step.
//   B3. Whatever comes from the board or from people is told as data.
import type { ToolSet } from 'ai'
import { z } from 'zod'
import { isCallboardError } from '../base/index.ts'
import { estimateTokens, renderEntries } from '../context/index.ts'
import type { Entry } from '../context/index.ts'
import type { AgentContext } from '../workflow/index.ts'
import { markData, markEntry, markItem, quoteName, textOf } from './data-mark.ts'
import { isNamed, namedBy, objectSchema } from './rights.ts'
import type { Rights } from './rights.ts'
import type { ToolRequest } from './model-call.ts'
import type { Sdk } from './sdk.ts'

/** What a model is offered. */
export type BoardTool = 'read' | 'wait' | 'update' | 'memory' | 'ask'

export const BOARD_TOOLS: readonly BoardTool[] = Object.freeze(['read', 'wait', 'update', 'memory', 'ask'])

/** The names that the model calls them by. */
export const TOOL_NAMES = Object.freeze({
  read: 'read_entries',
  wait: 'wait_for_entry',
  update: 'update_entries',
  memory: 'search_memory',
  ask: 'ask_person',
}) satisfies Readonly<Record<BoardTool, string>>

/** An agent's context as the tools use it, whatever its catalogue. */
export type AnyContext = AgentContext<Record<string, unknown>, Record<string, unknown>, unknown>

interface ToolSetup extends Rights {
  readonly offered: readonly BoardTool[]
  /** What its answer writes: where that is all it may write, it needs no tool for it. */
  readonly answer: readonly string[]
  readonly waitTimeoutMs: number
  readonly maxTokens: number
}

/** What a tool gave; `failed` where it did not do what it was asked. */
export interface ToolOutcome {
  readonly text: string
  readonly failed: boolean
}

const Keys = z.object({ keys: z.array(z.string()).min(1).max(100) })
const Wait = z.object({ key: z.string(), timeoutMs: z.number().positive().optional() })
const Question = z.object({ key: z.string(), question: z.string().min(1) })
const Search = z.object({ query: z.string().min(1), limit: z.int().min(1).max(20).optional() })
const Changes = z.record(z.string(), z.unknown())

export class BoardTools {
  readonly #context: AnyContext
  readonly #setup: ToolSetup

  constructor(context: AnyContext, setup: ToolSetup) {
    this.#context = context
    this.#setup = setup
  }

  /** The tools as the SDK takes them; none has a function to execute, the loop asks `call`. */
  describe({ jsonSchema }: Pick<Sdk, 'jsonSchema'>): ToolSet {
    const described = {
      read: { description: 'Reads entries of the board as they are now.', schema: z.toJSONSchema(Keys) },
      wait: { description: 'Waits until somebody has written an entry, and reads it.', schema: z.toJSONSchema(Wait) },
      update: {
        description: 'Writes entries, all or none. Give the new value under the key of each entry.',
        schema: objectSchema(namedBy(this.#setup, this.#setup.writes), { isComplete: false }),
      },
      memory: { description: 'Searches what is remembered from earlier runs.', schema: z.toJSONSchema(Search) },
      ask: {
        description: 'Asks a person for an entry that you may read, and waits for the answer.',
        schema: z.toJSONSchema(Question),
      },
    }
    const offered = this.#offered().map((tool): [string, ToolSet[string]] => {
      const { description, schema } = described[tool]
      return [TOOL_NAMES[tool], { description, inputSchema: jsonSchema(schema) }]
    })
    return Object.fromEntries(offered)
  }

  /** Does what the model asks; undefined for a tool that is not of the board. */
  async call({ name, input }: ToolRequest): Promise<ToolOutcome | undefined> {
    const tool = this.#offered().find((offered) => TOOL_NAMES[offered] === name)
    if (tool === undefined) return undefined
    try {
      return await this.#do(tool, input)
    } catch (error) {
      this.#context.signal.throwIfAborted()
      return failed(error)
    }
  }

  /** Writes entries by the rules of the board; the outcome says what came of it. */
  async update(input: unknown, stepName: string = TOOL_NAMES.update): Promise<ToolOutcome> {
    const changes = Changes.parse(input)
    const { step, tryUpdate } = this.#context
    const foreign = Object.keys(changes).filter((key) => !this.#matches(this.#setup.writes, key))
    if (foreign.length > 0) return refused(foreign, 'write', this.#setup.writes)
    const { text, failed } = await step(stepName, async (): Promise<ToolOutcome> => {
      const result = await tryUpdate(changes)
      if (result.kind === 'refused') {
        return { text: `refused, nothing was written:\n${markData(result.message)}`, failed: true }
      }
      // Versions are not told of what the agent does not see.
      const written = Object.keys(changes).map((key) => {
        if (result.skipped.includes(key)) return `${quoteName(key)} (left as it was)`
        const version = result.versions[key]
        return version === undefined ? quoteName(key) : `${quoteName(key)} (version ${version})`
      })
      return { text: `written: ${written.join(', ')}`, failed: false }
    })
    return { text, failed }
  }

  #offered(): readonly BoardTool[] {
    const { offered, reads, writes, answer } = this.#setup
    const hasMemory = Object.keys(this.#context).includes('memory')
    const makesSense = {
      read: reads.length > 0,
      wait: reads.length > 0,
      update: writes.some((pattern) => !answer.includes(pattern)),
      memory: hasMemory,
      ask: reads.length > 0,
    }
    return BOARD_TOOLS.filter((tool) => offered.includes(tool) && makesSense[tool])
  }

  #do(tool: BoardTool, input: unknown): Promise<ToolOutcome> {
    switch (tool) {
      case 'read':
        return this.#read(Keys.parse(input).keys)
      case 'wait':
        return this.#wait(Wait.parse(input))
      case 'update':
        return this.update(input)
      case 'memory':
        return this.#search(Search.parse(input))
      case 'ask':
        return this.#ask(Question.parse(input))
      default:
        throw new TypeError(`unknown tool ${String(tool satisfies never)}`)
    }
  }

  async #read(keys: readonly string[]): Promise<ToolOutcome> {
    const foreign = keys.filter((key) => !this.#matches(this.#setup.reads, key))
    if (foreign.length > 0) return refused(foreign, 'read', this.#setup.reads)
    const { view } = this.#context
    const entries = keys.map((key) => view.entry(key)).filter((entry) => entry !== undefined)
    const absent = keys.filter((key) => !entries.some((entry) => entry.key === key))
    const nothing = absent.map((key) => `entry ${quoteName(key)} is not there\n`)
    return { text: `${this.#render(entries)}${nothing.join('')}`, failed: false }
  }

  #render(entries: readonly Entry[]): string {
    const { maxTokens } = this.#setup
    const { text, plan } = renderEntries(entries, { maxTokens, format: markEntry })
    const out = plan.filter(({ decision }) => decision === 'out').map(({ key }) => quoteName(key))
    return out.length === 0 ? text : `${text}too long to be shown together: ${out.join(', ')}; read fewer at once\n`
  }

  async #wait({ key, timeoutMs = this.#setup.waitTimeoutMs }: z.output<typeof Wait>): Promise<ToolOutcome> {
    if (!this.#matches(this.#setup.reads, key)) return refused([key], 'wait for', this.#setup.reads)
    await this.#context.waitFor(key, { timeoutMs: Math.min(timeoutMs, this.#setup.waitTimeoutMs) })
    return this.#read([key])
  }

  async #ask({ key, question }: z.output<typeof Question>): Promise<ToolOutcome> {
    if (!this.#matches(this.#setup.reads, key)) return refused([key], 'ask for', this.#setup.reads)
    const answer = await this.#context.ask(key, { question })
    const isSensitive = this.#context.view.entry(key)?.sensitive === true
    return isSensitive
      ? { text: `answered; entry ${quoteName(key)} is written and not shown`, failed: false }
      : { text: `answered by a person:\n${markData(textOf(answer))}`, failed: false }
  }

  async #search({ query, limit = 5 }: z.output<typeof Search>): Promise<ToolOutcome> {
    const { step, memory } = this.#context
    return step(TOOL_NAMES.memory, async ({ signal }): Promise<ToolOutcome> => {
      const hits = await memory.recall(query, { topK: limit, signal })
      if (hits.length === 0) return { text: 'nothing is remembered about it', failed: false }
      // The most relevant first, and no more of them than the board has room for.
      let left = this.#setup.maxTokens
      const told = hits.map(({ item }) => markItem(item)).filter((text) => (left -= estimateTokens(text)) >= 0)
      const others = hits.length - told.length
      const note = others === 0 ? '' : `${others} more, too long to be shown together; ask for fewer\n`
      return { text: `${told.join('')}${note}`, failed: false }
    })
  }

  #matches(patterns: readonly string[], key: string): boolean {
    return isNamed(this.#setup, patterns, key)
  }
}

function refused(keys: readonly string[], verb: string, patterns: readonly string[]): ToolOutcome {
  const allowed = patterns.map(quoteName).join(', ')
  return {
    text: `refused: you may not ${verb} ${keys.map(quoteName).join(', ')}; you may ${verb} ${allowed}`,
    failed: true,
  }
}

/** What is wrong with the input of a tool. */
export function unfit(problem: string): ToolOutcome {
  return { text: `refused: the input does not fit:\n${markData(problem)}`, failed: true }
}

/** What went wrong, as data: messages may quote what others wrote. */
export function failed(error: unknown): ToolOutcome {
  if (error instanceof z.ZodError) return unfit(z.prettifyError(error))
  const code = isCallboardError(error) ? ` (${error.code})` : ''
  const message = error instanceof Error ? error.message : String(error)
  return { text: `failed${code}:\n${markData(message)}`, failed: true }
}
