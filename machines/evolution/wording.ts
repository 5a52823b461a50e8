// Wording: texts by a language model, where the input names one: about the research, about the plan, and a sentence for
// each exported name that is to be documented. Without a model nothing of this happens.
//   W1. The model writes texts, never code: which comments are made, and where, is decided without it.
//   W2. A text becomes one comment, whatever is in it; what could end the comment or give orders to a tool is taken out.
import type { AgentLogic } from 'callboard'
import { loadModel, modelAgent } from 'callboard/ai'
import type { ModelOutcome } from 'callboard/ai'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { board } from './board.ts'
import { isDirective, startOf } from './documentation.ts'
import { findUndocumented } from './edits/document.ts'
import type { Plan, Wording } from './schema.ts'
import { decode } from './sources.ts'
import { parseSource } from './syntax-tree.ts'

/** Names that are given to the model at once. */
const MOST_NAMES = 100
/** Characters of a declaration that it sees. */
const MOST_CODE = 600
/** Characters of a comment. */
const LONGEST_COMMENT = 400

const Named = z.strictObject({ model: z.string() })

const INSTRUCTIONS = `You write texts for the report on a code base that is being improved by a program.
Under "research" say in a few sentences what the research found out about the project and its habits.
Under "plan" say in a few sentences what the plan will do, in which order and why, and what is left for people.
Under "documentation" give one sentence for each of the names in the entry "wording.names": what it is for and what a
caller has to know, in the style of the project; nothing that only repeats the name or the types, no markup, no tags.
Leave out a name of which you cannot tell what it is for.`

/** The agents by the names that the machine invokes them by. */
export type WordingAgents = {
  readonly collector: AgentLogic<unknown, void>
  readonly writer: AgentLogic<z.input<typeof Named>, ModelOutcome>
}

/** Makes the agents. The key is for a server that is named by its address. */
export function createWordingAgents({ apiKey }: { readonly apiKey: string | undefined }): WordingAgents {
  const collector = board.agent({
    role: 'collector',
    reads: ['sources', 'plan.improvement', 'wording.names'],
    writes: ['wording.names'],
    async run({ view, update, signal }) {
      if (view.has('wording.names')) return
      const { root } = view.getOrThrow('sources')
      const names = await collectNames({ root, plan: view.getOrThrow('plan.improvement'), signal })
      await update({ 'wording.names': names })
    },
  })
  const writer = modelAgent(board, {
    role: 'writer',
    input: Named,
    model: ({ input }) => loadModel(input.model, { apiKey }),
    instructions: INSTRUCTIONS,
    reads: ['plan.improvement', 'research.external', 'wording.names'],
    writes: ['wording.texts'],
    answer: ['wording.texts'],
    boardTools: ['read'],
    budget: { calls: 6 },
    usage: 'wording.usage',
  })
  return { collector, writer }
}

/** The names that the plan is to document, with the beginning of what they stand for. */
async function collectNames({
  root,
  plan,
  signal,
}: {
  readonly root: string
  readonly plan: Plan
  readonly signal: AbortSignal
}): Promise<{ file: string; name: string; code: string }[]> {
  const names: { file: string; name: string; code: string }[] = []
  for (const { file } of plan.tasks.filter(({ edit }) => edit === 'document')) {
    signal.throwIfAborted()
    if (names.length >= MOST_NAMES) break
    const content = decode(await readFile(join(root, file)))
    const outcome = content === undefined ? undefined : parseSource(file, content)
    if (outcome?.kind !== 'tree') continue
    const { tree } = outcome
    for (const { name, statement } of findUndocumented(tree)) {
      const from = startOf(statement)
      names.push({ file, name, code: tree.text.slice(from, Math.min(statement.end, from + MOST_CODE)) })
    }
  }
  return names.slice(0, MOST_NAMES)
}

/** What a model has written about a name, fit to be a comment; undefined where there is nothing that is. */
export function commentFor(texts: Wording | undefined, file: string, name: string): string | undefined {
  const found = texts?.documentation.find((text) => text.file === file && text.name === name)
  if (found === undefined) return undefined
  const line = found.text
    .replaceAll(/[\p{C}\p{Z}\s]+/gu, ' ')
    .replaceAll('@', '')
    .replaceAll('*/', '* /')
    .trim()
  const points = Array.from(line)
  const text = points.length > LONGEST_COMMENT ? `${points.slice(0, LONGEST_COMMENT - 1).join('')}…` : line
  return text === '' || isDirective({ value: text }) ? undefined : text
}
