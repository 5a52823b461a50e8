// Recordable: what a model says, as it can be recorded with the run. A model may say anything, also what no value of ours may
// be (half of a character, or lists in lists in lists), and a call that was made and paid for is recorded all the same.
import { MAX_DEPTH, setOwn } from '../base/index.ts'

interface Recordable {
  readonly value: unknown
  /** What was replaced; undefined where nothing was. */
  readonly problem: string | undefined
}

/** Levels that a reply has around a tool's input, as it stands in its messages, and some to spare. */
const AROUND_INPUT = 8
/** Deepest tool's input; what is around it is let through to the same depth of the whole. */
const DEEPEST_INPUT = MAX_DEPTH - AROUND_INPUT

/** A tool's input. */
export const recordableInput = (input: unknown): Recordable => recordable(input, DEEPEST_INPUT)

/** Any other part of a reply, which may have such an input in it. */
export const recordablePart = <Part>(part: Part): Part => recordable(part, MAX_DEPTH - 2).value as Part

function recordable(value: unknown, deepest: number): Recordable {
  let problem: string | undefined
  const copy = (part: unknown, left: number): unknown => {
    if (typeof part === 'string') {
      if (part.isWellFormed()) return part
      problem ??= `${JSON.stringify(part)} is not well-formed Unicode`
      return part.toWellFormed()
    }
    if (typeof part !== 'object' || part === null || !isJson(part)) return part
    if (left === 0) {
      problem ??= `it is nested deeper than ${deepest} levels`
      return '(nested too deep)'
    }
    if (Array.isArray(part)) return part.map((item) => copy(item, left - 1))
    const record: Record<string, unknown> = {}
    for (const [key, item] of Object.entries(part)) setOwn(record, copy(key, left) as string, copy(item, left - 1))
    return record
  }
  return { value: copy(value, deepest), problem }
}

/** What a schema of one's own made of an input may be something else, and is not touched. */
function isJson(part: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(part)
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null
}
