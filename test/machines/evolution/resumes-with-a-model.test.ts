// `npm start -- --model`, killed while the model is asked, and `callboard resume`: real processes, really killed, and a
// server on this machine that counts what it is asked.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { sumUsage } from 'callboard/ai'
import type { ModelUsage } from 'callboard/ai'
import { openSqlite } from 'callboard/sqlite'
import { openAiServer } from '../../ai/openai-server.ts'
import type { Asked, OpenAiServer } from '../../ai/openai-server.ts'
import { start } from '../../cli/world.ts'
import type { Ended, Running } from '../../cli/world.ts'
import { ensureBuilt } from '../../support/built-package.ts'
import { shop } from './shop.ts'
import { linkPackages, makeProject } from './world.ts'

beforeAll(ensureBuilt)

const KEY = { CALLBOARD_MODEL_KEY: 'k-1' }

const words = {
  research: 'A small shop that throws its own errors.',
  plan: 'First the unused imports go, then comments are written.',
  documentation: [{ file: 'src/price.ts', name: 'readPrice', text: 'Reads what a customer typed.' }],
}
const READS = { calls: [{ name: 'read_entries', input: { keys: ['wording.names'] } }] }
const READS_MORE = { calls: [{ name: 'read_entries', input: { keys: ['plan.improvement'] } }] }
const ANSWERS = { text: [JSON.stringify({ 'wording.texts': words })] }
/** What one answer of the server costs. */
const [TOKENS_IN, TOKENS_OUT] = [40, 2]

function makeShop(): string {
  const root = makeProject(shop)
  linkPackages(root)
  return root
}

const npmStart = (root: string, { url }: OpenAiServer): Running =>
  start('machines/evolution/main.ts', ['.', '--out', 'out', '--model', `${url}#local`], { cwd: root, env: KEY })

const resume = (root: string, env: Readonly<Record<string, string>> = KEY): Promise<Ended> =>
  start('dist/cli/main.js', ['resume'], { cwd: root, env }).ended

async function kill(running: Running): Promise<void> {
  running.child.kill('SIGKILL')
  expect((await running.ended).code).toBeNull()
}

/** The prompts, as texts to compare. */
const promptsOf = (asked: readonly Asked[]): readonly string[] => asked.map(({ body }) => JSON.stringify(body))

interface Known {
  readonly usage: ModelUsage | undefined
  /** Calls that are recorded as finished. */
  readonly finished: number
}

async function knownOf(root: string): Promise<Known> {
  const store = await openSqlite(join(root, '.callboard/callboard.db'))
  try {
    const [run] = await store.list()
    const records = await store.read(run?.runId ?? '')
    const usage = records.flatMap(({ changes }) => changes).findLast(({ key }) => key === 'wording.usage')?.cell
      .entry.value
    const steps = records
      .filter(({ kind }) => kind === 'step')
      .map(({ asked }) => asked as Readonly<Record<string, unknown>>)
    const finished = steps.filter(({ step, phase }) => String(step).startsWith('model') && phase === 'finished').length
    return { usage: usage as ModelUsage | undefined, finished }
  } finally {
    await store.close()
  }
}

/** What the evolution left: the patch with the model's words, and the same calls wherever they are counted. */
async function assertFinished(root: string, { code, stdout, stderr }: Ended, calls: number): Promise<void> {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/\nsuccess: the goals are reached to 100 % on average\n/)
  expect(readFileSync(join(root, 'out/changes.patch'), 'utf8')).toContain('Reads what a customer typed.')
  const cost = { calls, inputTokens: calls * TOKENS_IN, outputTokens: calls * TOKENS_OUT }
  const { usage, finished } = await knownOf(root)
  expect({ finished, ...sumUsage(usage) }).toEqual({ finished: calls, ...cost })
  const context = readdirSync(join(root, 'out')).find((name) => name.startsWith('evolution_')) ?? ''
  expect(JSON.parse(readFileSync(join(root, 'out', context), 'utf8'))).toMatchObject({ wordingUsage: cost })
  const report = readFileSync(join(root, 'out/report.md'), 'utf8')
  expect(report).toContain(`Calls: ${calls}, tokens: ${cost.inputTokens} in, ${cost.outputTokens} out.`)
}

describe('npm start -- --model, killed with -9 in the middle and gone on with by callboard resume', () => {
  it('asks the same model on, nothing a second time that was answered, and counts each call once', async () => {
    const server = await openAiServer(READS, READS_MORE, { endless: ['{"wording'] }, ANSWERS)
    const root = makeShop()
    const running = npmStart(root, server)
    await server.hangs()
    await kill(running)
    const before = await knownOf(root)
    expect(before.finished).toBe(2)
    expect(sumUsage(before.usage)).toMatchObject({ calls: 2 })

    const ended = await resume(root)

    await assertFinished(root, ended, 3)
    const prompts = promptsOf(server.asked)
    expect(prompts).toHaveLength(4)
    // The call that was under way, word for word, and neither of the two that had been answered.
    expect(prompts[3]).toBe(prompts[2])
    expect(new Set(prompts.slice(0, 3)).size).toBe(3)
    expect(server.asked.map(({ authorization }) => authorization)).toEqual(prompts.map(() => 'Bearer k-1'))
  })

  it('the same when it is killed twice, the first time in the very first call', async () => {
    const server = await openAiServer({ endless: [] }, READS, { endless: ['{'] }, ANSWERS)
    const root = makeShop()
    const running = npmStart(root, server)
    await server.hangs()
    await kill(running)
    expect(await knownOf(root)).toEqual({ usage: undefined, finished: 0 })
    const again = start('dist/cli/main.js', ['resume'], { cwd: root, env: KEY })
    await server.hangs(2)
    await kill(again)

    const ended = await resume(root)

    await assertFinished(root, ended, 2)
    const [first, second, third, fourth, ...rest] = promptsOf(server.asked)
    expect(rest).toEqual([])
    expect(second).toBe(first)
    expect(fourth).toBe(third)
    expect(third).not.toBe(first)
  })

  it('asks nothing any more once the texts are there', async () => {
    const server = await openAiServer(READS, ANSWERS)
    const root = makeShop()
    const running = npmStart(root, server)
    await running.seen('implementer began')
    await kill(running)

    const ended = await resume(root)

    await assertFinished(root, ended, 2)
    expect(server.asked).toHaveLength(2)
  })
})

describe('npm start -- --model, failed because the model could not be asked', () => {
  it('goes on in a fork from before that, and asks nothing a second time that was answered', async () => {
    const server = await openAiServer(READS, { status: 401 }, ANSWERS)
    const root = makeShop()
    const callboard = (...args: readonly string[]): Promise<Ended> =>
      start('dist/cli/main.js', [...args], { cwd: root, env: KEY }).ended
    const failed = await npmStart(root, server).ended
    expect({ code: failed.code, asked: server.asked.length }).toEqual({ code: 1, asked: 2 })
    expect(failed.stderr).toMatch(/^error: run run_\w+: step "model#2" of writer [^\n]+\(status 401\)[^\n]*\n$/)

    const [run] = JSON.parse((await callboard('runs', '--json')).stdout) as readonly { readonly runId: string }[]
    const runId = run?.runId ?? ''
    const lines = (await callboard('ledger', runId)).stdout.split('\n')
    const before = lines.findIndex((line) => line.includes('step model#2, attempt 1 begun'))
    const ended = await callboard('fork', runId, String(before))

    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' })
    expect(ended.stdout).toMatch(/\nsuccess: the goals are reached to 100 % on average\n/)
    expect(readFileSync(join(root, 'out/changes.patch'), 'utf8')).toContain('Reads what a customer typed.')
    const prompts = promptsOf(server.asked)
    expect(prompts).toHaveLength(3)
    expect(prompts[2]).toBe(prompts[1])
    expect(prompts[1]).not.toBe(prompts[0])
  })
})
