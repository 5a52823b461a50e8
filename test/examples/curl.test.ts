// examples/curl.sh against examples/desk.ts, served as its first lines say.
import { spawnSync } from 'node:child_process'
import { beforeAll, expect, it } from 'vitest'
import { makeFolder, start } from '../cli/world.ts'
import { ensureBuilt, ROOT } from '../support/built-package.ts'

beforeAll(ensureBuilt)

const hasCurl = spawnSync('curl', ['--version']).status === 0
const noCurl = hasCurl || process.env['CI'] === 'true' ? undefined : 'there is no curl here'

/** What it must say, in this order. */
const STORY = [
  '"status":"active"',
  'the value does not fit its schema',
  '{"kind":"accepted","versions":{"plan":1}',
  '{"kind":"accepted","versions":{"plan":1}',
  '"value":"A letter in three sentences."',
  '{"seq":1,"entries":[{"key":"plan"',
  '"status":412',
  '{"taken":true}',
  'id: 1\nevent: change\n',
  'id: 7\nevent: end\n',
]

it('leads a run to its end with curl alone', async (ctx) => {
  if (noCurl !== undefined) return ctx.skip(noCurl)
  const { child, ended, seen } = start(
    'dist/cli/main.js',
    ['serve', `${ROOT}/examples/desk.ts`, '--db', 'desk.db', '--port', '0'],
    { cwd: makeFolder() },
  )
  let said = ''
  child.stdout.on('data', (chunk: string) => (said += chunk))
  await seen('documentation:')
  const [, url = ''] = /on (http:\S+)/.exec(said) ?? []
  const { status, stdout, stderr } = spawnSync('bash', [`${ROOT}/examples/curl.sh`, url], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  let from = 0
  for (const line of STORY) {
    const at = stdout.indexOf(line, from)
    expect(at, `"${line}" is missing, or comes too early, in:\n${stdout}`).toBeGreaterThanOrEqual(from)
    from = at + line.length
  }
  child.kill('SIGTERM')
  expect((await ended).code).toBe(0)
})
