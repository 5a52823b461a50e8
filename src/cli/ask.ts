import { createInterface } from 'node:readline'
import { isCallboardError } from '../base/index.ts'
import type { OpenRequest, Run } from '../runtime/index.ts'
import type { Terminal } from './terminal.ts'
import { visibleText } from './visible-text.ts'

interface AnswerSchema {
  readonly type?: unknown
  readonly enum?: readonly unknown[]
}

/**
 * Asks for the answer to a request on the terminal and gives it to the run; asks again as long as it is not accepted.
 * Ends without an answer when the signal aborts or the input ends.
 */
export async function askOnTerminal(
  run: Run,
  request: OpenRequest,
  { terminal, signal, onInterrupt }: { terminal: Terminal; signal: AbortSignal; onInterrupt: () => void },
): Promise<void> {
  const { input, out, style } = terminal
  const output = out as NodeJS.WritableStream
  const readline = createInterface({ input, output, terminal: terminal.isInteractive, signal })
  // In its raw mode the terminal sends no signal for Ctrl-C.
  readline.on('SIGINT', onInterrupt)
  try {
    readline.setPrompt(promptFor(request, terminal))
    readline.prompt()
    for await (const text of readline) {
      const refusal = await tryAnswer(run, request, text)
      if (refusal === undefined) return
      out.write(`${style('red', visibleText(refusal))}\n`)
      readline.prompt()
    }
    // The input has ended, or nobody asks any more: what comes next begins on a line of its own.
    out.write('\n')
  } finally {
    readline.close()
  }
}

/** Gives the reason when the answer was not accepted. */
async function tryAnswer(run: Run, { id, schema }: OpenRequest, text: string): Promise<string | undefined> {
  try {
    await run.answer(id, readTyped(text, schema), { by: 'person' })
    return undefined
  } catch (error) {
    if (isCallboardError(error, 'request.refused')) return error.message
    // Somebody else was faster, or nobody asks any more.
    if (isCallboardError(error, 'request.not-open')) return undefined
    throw error
  }
}

function promptFor({ agent, question, target, schema }: OpenRequest, { style }: Terminal): string {
  const what = question ?? `a value for ${'key' in target ? target.key : target.event}`
  return `${style('bold', `${visibleText(agent)} asks:`)} ${visibleText(what)} ${hint(schema)} `
}

/** What an answer may look like, in brackets. */
function hint(schema: AnswerSchema | undefined): string {
  if (schema?.enum !== undefined) return `[${schema.enum.map(String).join('/')}]`
  switch (schema?.type) {
    case 'boolean':
      return '[yes/no]'
    case 'string':
    case undefined:
      return '[text]'
    default:
      return '[JSON]'
  }
}

/** The value that a line stands for that somebody typed where a text was asked for: quotes are part of a text. */
function readTyped(text: string, schema: AnswerSchema | undefined): unknown {
  return schema?.enum === undefined && schema?.type === 'string' ? text.trim() : readAnswer(text, schema)
}

/**
 * The value that an argument stands for: JSON, or a text as it is, where it is no JSON or a text is asked for. What does not
 * fit is left to the schema to refuse.
 */
export function readAnswer(text: string, schema: AnswerSchema | undefined): unknown {
  const trimmed = unquoted(text.trim())
  if (schema?.enum !== undefined) return readChoice(trimmed, schema.enum)
  if (schema?.type === 'string') return trimmed
  if (schema?.type === 'boolean') return readChoice(trimmed, ['yes', 'true', 'no', 'false'], booleans) ?? trimmed
  try {
    return JSON.parse(text)
  } catch {
    return trimmed
  }
}

/** What is said by a text in JSON; any other text is what it says. */
function unquoted(text: string): string {
  if (!text.startsWith('"')) return text
  try {
    return JSON.parse(text) as string
  } catch {
    return text
  }
}

const booleans: ReadonlyMap<unknown, boolean> = new Map([
  ['yes', true],
  ['true', true],
  ['no', false],
  ['false', false],
])

/** A choice by its text or its beginning, where only one begins so. */
function readChoice(text: string, choices: readonly unknown[], values?: ReadonlyMap<unknown, unknown>): unknown {
  const lower = text.toLowerCase()
  const begun = choices.filter((choice) => lower !== '' && String(choice).toLowerCase().startsWith(lower))
  const found =
    choices.find((choice) => String(choice).toLowerCase() === lower) ?? (begun.length === 1 ? begun[0] : undefined)
  if (found === undefined) return values === undefined ? text : undefined
  return values === undefined ? found : values.get(found)
}
