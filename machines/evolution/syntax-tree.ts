// One source file as a tree. Parsing is oxc-parser's job; this file adds what its callers need around it: no byte-order
// mark in the way of offsets, places as compilers print them, and failures as data.
import { parseSync } from 'oxc-parser'
import type { Comment, Node, ParserOptions, Program } from 'oxc-parser'
import { basename } from 'node:path'

export type { Comment, Function as FunctionSyntax, Node, Program } from 'oxc-parser'

/** A parsed file. Offsets are UTF-16 units into `text`, which is the file without its byte-order mark. */
export interface SyntaxTree {
  readonly file: string
  readonly text: string
  readonly bom: string
  readonly language: 'ts' | 'js'
  readonly program: Program
  readonly comments: readonly Comment[]
  readonly lineStarts: readonly number[]
}

/** Why and where a file could not be parsed. */
export interface SyntaxFailure {
  readonly file: string
  readonly message: string
  readonly line: number
  readonly column: number
}

export type ParseOutcome =
  | { readonly kind: 'tree'; readonly tree: SyntaxTree }
  | { readonly kind: 'failure'; readonly failure: SyntaxFailure }

/** The native parser overflows its stack, and ends the process, somewhere between 5,000 and 20,000 nested brackets. */
const MAX_NESTING = 1_000

/** Parses a file's content; the path decides the language. */
export function parseSource(file: string, content: string): ParseOutcome {
  const bom = content.startsWith('\uFEFF') ? '\uFEFF' : ''
  const text = content.slice(bom.length)
  const lineStarts = findLineStarts(text)
  const fail = (message: string, offset: number): ParseOutcome => {
    return { kind: 'failure', failure: { file, message, ...placeOf({ lineStarts }, offset) } }
  }
  const tooDeep = findDeepNesting(text)
  if (tooDeep !== undefined) return fail(`nested more than ${MAX_NESTING} levels deep`, tooDeep)
  const language = /\.[cm]?tsx?$/.test(file) ? 'ts' : 'js'
  const options: ParserOptions = language === 'js' ? { lang: 'jsx' } : {}
  let result = parseSync(basename(file), text, options)
  const failed = () => result.errors.find(({ severity }) => severity === 'Error')
  // A top-level return is legal in CommonJS, and only there.
  if (failed() && file.endsWith('.js')) {
    const second = parseSync(basename(file), text, { ...options, sourceType: 'commonjs' })
    if (second.errors.length === 0) result = second
  }
  const error = failed()
  if (error) return fail(error.message, error.labels[0]?.start ?? 0)
  const { program, comments } = result
  return { kind: 'tree', tree: { file, text, bom, language, program, comments, lineStarts } }
}

/** The place of an offset; both numbers count from 1. */
export function placeOf(
  { lineStarts }: Pick<SyntaxTree, 'lineStarts'>,
  offset: number,
): { readonly line: number; readonly column: number } {
  let low = 0
  let high = lineStarts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((lineStarts[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return { line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1 }
}

/** Lines as the language defines them, which is also how TypeScript counts. */
function findLineStarts(text: string): number[] {
  const starts = [0]
  for (const { index, 0: end } of text.matchAll(/\r\n|[\n\r\u2028\u2029]/g)) starts.push(index + end.length)
  return starts
}

/** Counts brackets without looking at strings and comments: generous enough for any text that people write. */
function findDeepNesting(text: string): number | undefined {
  let depth = 0
  let angles = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === 40 || code === 91 || code === 123) depth++
    else if ((code === 41 || code === 93 || code === 125) && depth > 0) depth--
    if (code === 60) angles++
    else if (code === 59 || code === 123 || (code === 62 && angles > 0)) angles = code === 62 ? angles - 1 : 0
    if (depth > MAX_NESTING || angles > MAX_NESTING) return index
  }
  return undefined
}

/** Whether a value found inside a tree is a node of it. */
export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}
