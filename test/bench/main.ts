// npm run bench: answers the questions in this folder by measuring the package as it was built, prints the tables, and
// ends with exit code 1 when a limit is missed.
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { handingQuestion } from './handing.ts'
import { STANDARD_ROUNDS } from './harness.ts'
import { heapQuestion } from './heap.ts'
import { httpQuestion } from './http.ts'
import { memoryQuestion } from './memory.ts'
import { toMarkdown, toText } from './report.ts'
import type { Question, Table } from './report.ts'
import { severalKeysQuestion } from './several-keys.ts'
import { storeQuestion } from './store.ts'
import { streamsQuestion } from './streams.ts'
import { updateQuestion } from './update.ts'
import { viewsQuestion } from './views.ts'
import { waitsQuestion } from './waits.ts'

const QUESTIONS: readonly Question[] = [
  updateQuestion,
  severalKeysQuestion,
  viewsQuestion,
  waitsQuestion,
  handingQuestion,
  memoryQuestion,
  heapQuestion,
  storeQuestion,
  httpQuestion,
  streamsQuestion,
]
const DOCUMENT = new URL('../../docs/benchmarks.md', import.meta.url)
const BEGIN = '<!-- bench: written by npm run bench -- --write -->'
const END = '<!-- /bench -->'

const USAGE = `npm run bench -- [options]
  --only NAME  answer this question only; may be repeated: ${QUESTIONS.map(({ name }) => name).join(', ')}
  --no-fail    exit code 0 even when a limit is missed
  --json       print JSON instead of tables
  --write      put the tables into docs/benchmarks.md`

interface Options {
  readonly only: readonly string[]
  readonly fail: boolean
  readonly json: boolean
  readonly write: boolean
}

process.exitCode = await main()

async function main(): Promise<number> {
  const options = parseOptions()
  if (options === undefined) return 2
  const chosen = QUESTIONS.filter(({ name }) => options.only.length === 0 || options.only.includes(name))
  const tables: Table[] = []
  for (const { name, answer } of chosen) {
    if (!options.json) console.error(`${name} …`)
    tables.push(...(await answer()))
  }
  const missed = tables.flatMap(({ title, lines }) =>
    lines.filter(({ met }) => met === false).map(({ name }) => `${title}: ${name}`),
  )
  if (options.json)
    console.log(JSON.stringify({ machine: describeMachine(), rounds: STANDARD_ROUNDS, tables }, null, 2))
  else console.log(`${describeMachine()}\n\n${toText(tables)}\n\n${describeMissed(missed)}`)
  if (options.write) writeDocument(tables)
  return missed.length > 0 && options.fail ? 1 : 0
}

function parseOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: [] },
        'no-fail': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
      },
    })
    const { only, json, write } = values
    const unknown = only.find((name) => !QUESTIONS.some((question) => question.name === name))
    if (unknown !== undefined) throw new TypeError(`there is no question "${unknown}"`)
    if (write && only.length > 0) throw new TypeError('--write is for all questions; leave --only out')
    return { only, json, write, fail: !values['no-fail'] }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    return undefined
  }
}

function describeMachine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor'
  return `Node ${process.version}, ${process.platform} ${process.arch}, ${availableParallelism()} cores (${model})`
}

function describeMissed(missed: readonly string[]): string {
  if (missed.length === 0) return 'Every limit is met.'
  return [`Limits missed: ${missed.length}`, ...missed].join('\n  ')
}

function writeDocument(tables: readonly Table[]): void {
  const text = readFileSync(DOCUMENT, 'utf8')
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`docs/benchmarks.md needs the lines ${BEGIN} and ${END}`)
  const made = `Made by \`npm run bench -- --write\` with ${describeMachine()}; medians of ${STANDARD_ROUNDS.rounds} rounds.`
  writeFileSync(DOCUMENT, `${text.slice(0, begin)}${BEGIN}\n\n${made}\n\n${toMarkdown(tables)}\n\n${text.slice(end)}`)
}
