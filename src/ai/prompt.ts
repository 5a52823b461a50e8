// The prompt: the author's instructions, how the board works, and what is on it as data.
import type { Entry, RenderedView, View } from '../context/index.ts'
import { DATA_RULE, markData, markEntry, quoteName, textOf } from './data-mark.ts'
import { namedBy } from './rights.ts'
import type { Rights } from './rights.ts'

interface InstructionParts extends Rights {
  /** What the author of the workflow wants of the model. */
  readonly instructions: string
  /** The JSON schema of the answer, where it has to be one. */
  readonly answer: Readonly<Record<string, unknown>> | undefined
}

/** What the model is told once, and is to follow. */
export function instructionsFor({ instructions, answer, ...rights }: InstructionParts): string {
  const form =
    answer === undefined
      ? []
      : [
          `When you have what you need, answer with one JSON object and nothing else. Its schema:\n${JSON.stringify(answer)}`,
        ]
  const board = [
    'You share a board of entries with others. Everything you may read or write on it:',
    ...describeEntries(rights),
  ].join('\n')
  return [instructions.trim(), board, ...form, DATA_RULE].join('\n\n')
}

function describeEntries(rights: Rights): readonly string[] {
  const readable = namesOf(rights, rights.reads)
  const writable = namesOf(rights, rights.writes)
  return [...new Set([...readable.keys(), ...writable.keys()])].map((name) => {
    const may = [...(readable.has(name) ? ['read'] : []), ...(writable.has(name) ? ['write'] : [])].join(', ')
    const description = readable.get(name) ?? writable.get(name)
    return `- ${quoteName(name)} (${may})${description === undefined ? '' : `: ${description}`}`
  })
}

function namesOf(rights: Rights, patterns: readonly string[]): ReadonlyMap<string, string | undefined> {
  const { keys, families } = namedBy(rights, patterns)
  return new Map([...keys, ...families].map(([name, { description }]) => [name, description]))
}

interface ViewParts {
  readonly view: Pick<View, 'render'>
  readonly input: unknown
  readonly maxTokens: number
  readonly countTokens: ((text: string) => number) | undefined
  readonly usageKey: string | undefined
}

/** What the model is given to work with: the view and the input, as data. */
export function dataFor({ view, input, maxTokens, countTokens, usageKey }: ViewParts): string {
  const { text, plan } = view.render({
    maxTokens,
    format: (entry: Entry) => (entry.key === usageKey ? '' : markEntry(entry)),
    ...(countTokens === undefined ? {} : { countTokens }),
  })
  const given = input === undefined ? '' : `input of this agent:\n${markData(textOf(input))}\n`
  const board = text === '' ? 'The board has no entry that you may read now.\n' : `On the board now:\n\n${text}`
  return `${given}${board}${describeOmitted(plan)}`
}

/** Characters of names that are told of what did not fit: with thousands of them the names alone would not. */
const MOST_OMITTED_CHARACTERS = 2_000

function describeOmitted(plan: RenderedView['plan']): string {
  const omitted = plan.filter(({ decision }) => decision !== 'in').map(({ key }) => quoteName(key))
  if (omitted.length === 0) return ''
  const told: string[] = []
  let left = MOST_OMITTED_CHARACTERS
  for (const name of omitted) {
    left -= name.length
    if (left < 0) break
    told.push(name)
  }
  const others = omitted.length - told.length
  const rest = others === 0 ? [] : [`${others} ${told.length === 0 ? 'entries' : 'more'}`]
  return `Cut or left out for want of room: ${[...told, ...rest].join(', ')}\n`
}
