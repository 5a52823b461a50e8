import { createMachine } from 'xstate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Browser } from 'playwright-core'

import { chartOf, toMermaid } from '../../src/graph/index.ts'
import type { ChartState } from '../../src/graph/index.ts'
import { visible } from '../../src/graph/label.ts'
import { noBrowser, openBrowser, openOfflinePage } from '../support/browser.ts'
import type { OfflinePage } from '../support/browser.ts'
import { agents, busy, pipeline, release } from './machines.ts'
import { ODD_NAMES } from './odd-machines.ts'

let browser: Browser | undefined
let offline: OfflinePage

beforeAll(async () => {
  if (noBrowser !== undefined) return
  browser = await openBrowser()
  offline = await openOfflinePage(browser)
  await offline.page.addScriptTag({ path: 'node_modules/mermaid/dist/mermaid.min.js' })
})

afterAll(() => browser?.close())

/** What a reader of the drawn diagram sees, with white space as a browser shows it. */
async function drawnText(source: string): Promise<string> {
  const svg = await offline.page.evaluate(`(async () => {
    mermaid.initialize({ startOnLoad: false })
    const { svg } = await mermaid.render('chart', ${JSON.stringify(source)})
    document.body.innerHTML = svg
    for (const style of document.querySelectorAll('style')) style.remove()
    return document.body.textContent
  })()`)
  expect(offline.requested).toEqual([])
  return squeezed(String(svg))
}

const squeezed = (text: string): string => text.replaceAll(/\s+/g, ' ')

const keysOf = ({ states }: ChartState): readonly string[] => states.flatMap((state) => [state.key, ...keysOf(state)])

describe('toMermaid', () => {
  it.for([
    ['nested and parallel states', release],
    ['a line of agents', pipeline],
    ['many transitions', busy],
  ] as const)('draws %s with every name', async ([, machine], ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    const chart = chartOf(machine, { agents })
    const text = await drawnText(toMermaid(chart))
    for (const key of keysOf(chart.root)) expect(text).toContain(key)
  })

  it('draws names that are syntax elsewhere as plain text', async (ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    const states = Object.fromEntries(ODD_NAMES.map((name) => [name, { id: name === 'end' ? 'first' : undefined }]))
    const on = Object.fromEntries(ODD_NAMES.map((name) => [name, { target: '#first', guard: name }]))
    const machine = createMachine({ id: 'odd', initial: 'end', states: { ...states, hub: { on } } } as never)
    const text = await drawnText(toMermaid(chartOf(machine)))
    const shown = ODD_NAMES.map((name) => squeezed(visible(name)))
    expect(shown.filter((name) => !text.includes(name.trim()))).toEqual([])
    expect(shown.filter((name) => !text.includes(`[${name}]`))).toEqual([])
  })

  it('says in a note what Mermaid cannot draw: from a state to one inside it', () => {
    expect(toMermaid(chartOf(release))).toMatch(/note right of release\n(.*\n)*?.*CANCEL → cancelled\n/)
  })

  it('writes transitions between regions and levels outside of all composites', () => {
    const lines = toMermaid(chartOf(release)).split('\n')
    expect(lines).toContain('  paused --> checking : JUMP')
    expect(lines).toContain('  answered --> paused : BACK')
  })

  it('stays the same text', () => {
    expect(toMermaid(chartOf(release, { agents }))).toMatchSnapshot()
  })
})
