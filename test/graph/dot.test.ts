import { spawnSync } from 'node:child_process'

import { createMachine } from 'xstate'
import { describe, expect, it } from 'vitest'

import { chartOf, toDot } from '../../src/graph/index.ts'
import { visible } from '../../src/graph/label.ts'
import { agents, busy, pipeline, release } from './machines.ts'
import { ODD_NAMES } from './odd-machines.ts'

const noDot =
  process.env['CI'] === undefined && spawnSync('dot', ['-V']).error !== undefined
    ? 'there is no Graphviz; install it, e.g. apt-get install graphviz'
    : undefined

/** What Graphviz makes of a graph, as SVG text with its entities resolved; fails on any warning. */
function drawn(source: string): string {
  const { status, stdout, stderr } = spawnSync('dot', ['-Tsvg'], { input: source, encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll('\u00A0', ' ')
}

describe('toDot', () => {
  it.for([
    ['nested and parallel states', release],
    ['a line of agents', pipeline],
    ['many transitions', busy],
  ] as const)('gives Graphviz %s without a complaint', ([, machine], ctx) => {
    if (noDot !== undefined) return ctx.skip(noDot)
    expect(drawn(toDot(chartOf(machine, { agents })))).toContain('<svg')
  })

  it('draws names that are syntax elsewhere as plain text', (ctx) => {
    if (noDot !== undefined) return ctx.skip(noDot)
    const states = Object.fromEntries(ODD_NAMES.map((name) => [name, { on: { [`on ${name}`]: {} } }]))
    const svg = drawn(toDot(chartOf(createMachine({ initial: 'end', states }))))
    expect(ODD_NAMES.map(visible).filter((name) => !svg.includes(`on ${name} ignored`))).toEqual([])
  })

  it('cuts edges off at the border of a state with inner states', () => {
    const source = toDot(chartOf(release))
    expect(source).toMatch(/planning -> building__ \[.*lhead=cluster_building\]/)
    expect(source).toMatch(/building__ -> paused \[.*ltail=cluster_building\]/)
  })

  it('stays the same text', () => {
    expect(toDot(chartOf(release, { agents }))).toMatchSnapshot()
  })
})
