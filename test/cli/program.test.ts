import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { callboard } from './world.ts'

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
