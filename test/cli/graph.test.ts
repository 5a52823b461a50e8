import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt } from '../support/built-package.ts'
import { callboard, GREETING, makeFolder, start } from './world.ts'

beforeAll(ensureBuilt)

describe('callboard graph', () => {
  it('draws states, agents, and what they read and write', async () => {
    const { code, stdout, stderr } = await callboard(['graph', 'greeting.ts'], makeFolder({ 'greeting.ts': GREETING }))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^stateDiagram-v2\n/)
    for (const text of ['invokes greeter', 'reads name', 'writes greeting', 'greeted']) expect(stdout).toContain(text)
    expect(stdout).not.toContain('callboard.update')
  })

  it.each([
    ['mermaid', /^stateDiagram-v2\n/],
    ['dot', /^digraph /],
    ['json', /^\{\n {2}"format": "callboard\.chart\/1"/],
    ['svg', /^<svg [\s\S]*<\/svg>\s*$/],
    ['scxml', /<scxml [\s\S]*<\/scxml>\s*$/],
  ])('writes %s', async (format, shape) => {
    const folder = makeFolder({ 'greeting.ts': GREETING })
    const { code, stdout, stderr } = await callboard(['graph', 'greeting.ts', '--format', format], folder)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(shape)
  })

  it('writes to a file what it would print', async () => {
    const folder = makeFolder({ 'greeting.ts': GREETING })
    const printed = await callboard(['graph', 'greeting.ts', '--format', 'dot'], folder)
    const written = await callboard(['graph', 'greeting.ts', '--format', 'dot', '--out', 'chart.dot'], folder)
    expect(written).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(readFileSync(join(folder, 'chart.dot'), 'utf8')).toBe(printed.stdout)
  })

  it('draws a plain XState machine too', async () => {
    const lamp = `import { createMachine } from 'xstate'\nexport const lamp = createMachine({ id: 'lamp', initial: 'off', states: { off: { on: { flip: 'on' } }, on: {} } })\n`
    const { code, stdout } = await callboard(['graph', 'lamp.ts'], makeFolder({ 'lamp.ts': lamp }))
    expect(code).toBe(0)
    expect(stdout).toContain('off --> on : flip')
  })

  it('ends well when nobody reads to the end', async () => {
    const folder = makeFolder({ 'greeting.ts': GREETING })
    const running = start('dist/cli/main.js', ['graph', 'greeting.ts', '--format', 'json'], { cwd: folder })
    running.child.stdout.destroy()
    expect(await running.ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('says in one line where it cannot write', async () => {
    const folder = makeFolder({ 'greeting.ts': GREETING })
    const { code, stdout, stderr } = await callboard(['graph', 'greeting.ts', '--out', 'gone/chart.svg'], folder)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: cannot write "gone\/chart.svg": [^\n]+\n$/)
  })
})
