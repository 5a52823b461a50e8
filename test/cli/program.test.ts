import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { callboard, GREETING, makeFolder } from './world.ts'

beforeAll(ensureBuilt)

describe('callboard', () => {
  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect(await callboard(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('helps when it is asked to', async () => {
    const { code, stdout, stderr } = await callboard(['--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/run \[options\] <module>/)
    expect(stdout).toMatch(/graph \[options\] <module>/)
  })

  it('shows its commands to those who name none, and calls that a mistake', async () => {
    const { code, stdout, stderr } = await callboard([])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/Commands:/)
  })

  it.each([
    [['rn', 'x.ts'], "error: unknown command 'rn' (Did you mean run?); see callboard --help\n"],
    [['run'], "error: missing required argument 'module'; see callboard --help\n"],
    [['run', 'x.ts', '--fast'], "error: unknown option '--fast'; see callboard --help\n"],
    [
      ['run', 'a.ts', 'b.ts'],
      "error: too many arguments for 'run'. Expected 1 argument but got 2: a.ts, b.ts; see callboard --help\n",
    ],
    [
      ['graph', 'x.ts', '--format', 'pdf'],
      "error: option '--format <format>' argument 'pdf' is invalid. Allowed choices are mermaid, dot, json, svg, scxml; see callboard --help\n",
    ],
  ])('answers %j with one line and exit code 2', async (args, line) => {
    expect(await callboard(args)).toEqual({ code: 2, stdout: '', stderr: line })
  })
})

// A device that is always full; written to through a redirect only.
describe.runIf(existsSync('/dev/full'))('where there is no room for the output', () => {
  /** Runs `callboard >/dev/full` to its end. */
  async function callboardInto(
    args: readonly string[],
    cwd: string,
  ): Promise<readonly [code: unknown, stderr: string]> {
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), ...args], {
      cwd,
      stdio: ['ignore', full, 'pipe'],
    })
    let stderr = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const [code] = (await once(child, 'close')) as [unknown]
    closeSync(full)
    return [code, stderr]
  }

  it('says so in one line and ends with 1, and a run goes on to its end all the same', async () => {
    const folder = makeFolder({ 'greeting.ts': GREETING })
    const line =
      /^error: cannot write the output: [^\n]*no space left on device[^\n]*; what the command does is done all the same\n$/
    expect(await callboardInto(['run', 'greeting.ts', '--input', '{"name":"Ada"}'], folder)).toEqual([
      1,
      expect.stringMatching(line),
    ])
    const runs = JSON.parse((await callboard(['runs', '--json'], folder)).stdout) as readonly {
      readonly runId: string
      readonly status: string
    }[]
    expect(runs).toMatchObject([{ status: 'done' }])
    for (const args of [['show'], ['export'], ['ledger', '--json']]) {
      const [command = '', ...options] = args
      const into = await callboardInto([command, runs[0]?.runId ?? '', ...options], folder)
      expect([args, ...into]).toEqual([args, 1, expect.stringMatching(line)])
    }
  })
})
