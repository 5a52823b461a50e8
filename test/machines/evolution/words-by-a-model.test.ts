// `npm start -- --model`: a real process asks a server on this machine for its texts.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { commentFor } from '../../../machines/evolution/index.ts'
import { openAiServer } from '../../ai/openai-server.ts'
import { start } from '../../cli/world.ts'
import type { Ended } from '../../cli/world.ts'
import { ensureBuilt } from '../../support/built-package.ts'
import { shop } from './shop.ts'
import { linkPackages, makeProject } from './world.ts'

beforeAll(ensureBuilt)

const evolve = (cwd: string, ...args: string[]): Promise<Ended> =>
  start('machines/evolution/main.ts', ['.', '--out', 'out', ...args], {
    cwd,
    env: { CALLBOARD_MODEL_KEY: 'k-1' },
  }).ended

const words = {
  research: 'A small shop that throws its own errors.',
  plan: 'First the unused imports go, then comments are written.',
  documentation: [
    {
      file: 'src/price.ts',
      name: 'readPrice',
      text: 'Reads what a customer typed; without a known currency it is in `fallback`. */ evil() /*',
    },
    { file: 'src/price.ts', name: 'nowhere', text: 'Is not there.' },
  ],
}

/** A provider of the AI SDK as somebody may have written one: says what is in a file of the project. */
const PROVIDER = `
import { readFileSync } from 'node:fs'
const finish = {
  type: 'finish',
  finishReason: { unified: 'stop' },
  usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
}
const model = (modelId) => ({
  specificationVersion: 'v4',
  provider: 'maker',
  modelId,
  supportedUrls: {},
  doStream: async () => ({
    stream: new ReadableStream({
      start(controller) {
        controller.enqueue({ type: 'text-start', id: '1' })
        if (process.env.WORDS_HANG) {
          console.log('the provider hangs')
          // As an open connection would, it keeps the process alive.
          setInterval(() => {}, 60_000)
          return
        }
        controller.enqueue({ type: 'text-delta', id: '1', delta: readFileSync('words.json', 'utf8') })
        controller.enqueue({ type: 'text-end', id: '1' })
        controller.enqueue(finish)
        controller.close()
      },
    }),
  }),
})
export const words = Object.assign(model, { languageModel: model })
`

describe('npm start -- --model', () => {
  it('has research, plan and comments put into words; the result parses, compiles and means the same', async () => {
    const { url, asked } = await openAiServer({ text: [JSON.stringify({ 'wording.texts': words })] })
    const root = makeProject(shop)
    linkPackages(root)
    const { code, stdout, stderr } = await evolve(root, '--model', `${url}#local`)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/compiler: no new errors\n/)
    const patch = readFileSync(join(root, 'out/changes.patch'), 'utf8')
    expect(patch).toMatch(
      /\+ \* Reads what a customer typed; without a known currency it is in `fallback`\. \* \/ evil\(\)/,
    )
    execFileSync('git', ['apply', 'out/changes.patch'], { cwd: root })
    const report = readFileSync(join(root, 'out/report.md'), 'utf8')
    expect(report).toContain('Research: A small shop that throws its own errors.')
    expect(report).toContain('Plan: First the unused imports go')
    expect(asked).toHaveLength(1)
    expect(asked[0]).toMatchObject({ authorization: 'Bearer k-1', body: { model: 'local' } })
    const prompt = JSON.stringify(asked[0]?.body['messages'])
    expect(prompt).toContain('wording.names')
    expect(prompt).toContain('export function readPrice(text: string')
    const context = readdirSync(join(root, 'out')).find((name) => name.startsWith('evolution_')) ?? ''
    const known = JSON.parse(readFileSync(join(root, 'out', context), 'utf8')) as { readonly wording: unknown }
    expect(known.wording).toEqual(words)
  })

  it('fails when the model cannot be asked, and says why', async () => {
    const { url } = await openAiServer({ status: 401 })
    const { code, stderr } = await evolve(makeProject(shop), '--model', `${url}#local`)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /step "model" of writer was tried once and failed: the model "local" could not be called \(status 401\): not now/,
    )
  })

  it('finds a provider that only the project has installed, also when it is gone on with', async () => {
    const root = makeProject({
      ...shop,
      'node_modules/@maker/words/package.json': JSON.stringify({
        name: '@maker/words',
        type: 'module',
        exports: { '.': { types: './index.d.ts', import: './lib/index.js' } },
      }),
      'node_modules/@maker/words/lib/index.js': PROVIDER,
      'words.json': JSON.stringify({ 'wording.texts': words }),
    })
    const running = start('machines/evolution/main.ts', ['src', '--out', 'out', '--model', '@maker/words/m'], {
      cwd: root,
      env: { WORDS_HANG: '1' },
    })
    await running.seen('the provider hangs')
    running.child.kill('SIGKILL')
    await running.ended

    const { code, stderr } = await start('dist/cli/main.js', ['resume'], { cwd: root }).ended

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(readFileSync(join(root, 'out/report.md'), 'utf8')).toContain('Research: A small shop')
  })

  it.each([
    ['no-such-provider-here/m', 'install it with: npm i @ai-sdk/no-such-provider-here'],
    ['gpt-5', 'names no model: write provider/model'],
  ])('refuses %s before anything is done', async (name, message) => {
    const root = makeProject(shop)
    const { code, stderr } = await evolve(root, '--model', name)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
    expect(readdirSync(root)).not.toContain('out')
  })
})

describe('what a model writes about a name', () => {
  const commentOf = (text: string) =>
    commentFor({ ...words, documentation: [{ file: 'a.ts', name: 'f', text }] }, 'a.ts', 'f')

  it.each([
    ['Adds.\n\n  Twice. ', 'Adds. Twice.'],
    ['ends */ here', 'ends * / here'],
    ['ends *@/ here', 'ends * / here'],
    ['@param x {@link y}', 'param x {link y}'],
    ['a\u2028b\u0000c', 'a b c'],
  ])('%j becomes the one line %j', (text, line) => {
    expect(commentOf(text)).toBe(line)
  })

  it.each(['', ' \n', '@', 'eslint-disable no-console', '#region x'])('%j becomes none', (text) => {
    expect(commentOf(text)).toBeUndefined()
  })

  it('is cut when it is long', () => {
    expect(commentOf('word '.repeat(500))).toHaveLength(400)
  })

  it('is not taken for another name', () => {
    expect(commentFor(words, 'src/price.ts', 'other')).toBeUndefined()
    expect(commentFor(undefined, 'src/price.ts', 'readPrice')).toBeUndefined()
  })
})
