import { createMachine } from 'xstate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Browser } from 'playwright-core'

import { isCallboardError } from '../../src/base/index.ts'
import { activePaths, chartOf, statePath, toSvg } from '../../src/graph/index.ts'
import type { ChartState } from '../../src/graph/index.ts'
import { layoutChart } from '../../src/graph/layout.ts'
import { noBrowser, openBrowser, openOfflinePage } from '../support/browser.ts'
import { agents, busy, pipeline, release } from './machines.ts'
import { ODD_NAMES } from './odd-machines.ts'

let browser: Browser | undefined

beforeAll(async () => {
  if (noBrowser === undefined) browser = await openBrowser()
})

afterAll(() => browser?.close())

/** Opens a drawing in a page, asks the page something, and checks that nothing was fetched for it. */
async function ask<Answer>(svg: string, question: string, colorScheme: 'light' | 'dark' = 'light'): Promise<Answer> {
  const { page, requested } = await openOfflinePage(browser!, { colorScheme })
  try {
    await page.setContent(`<!doctype html><body style="margin:0">${svg}</body>`)
    const answer = (await page.evaluate(`(() => { ${question} })()`)) as Answer
    expect(requested).toEqual([])
    return answer
  } finally {
    await page.context().close()
  }
}

/** Texts that overlap each other, lines that run through texts, and texts that leave the drawing. */
const FIND_CLASHES = `
  const svg = document.querySelector('svg')
  const frame = svg.getBoundingClientRect()
  const texts = [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim() !== '')
  const boxes = texts.map((text) => ({ text: text.textContent, box: text.getBBox() }))
  const clashes = []
  for (const [index, { text, box }] of boxes.entries()) {
    if (box.x < 0 || box.y < 0 || box.x + box.width > frame.width || box.y + box.height > frame.height) clashes.push(text + ' leaves the drawing')
    for (const other of boxes.slice(index + 1)) {
      const beside = box.x + box.width <= other.box.x + 1 || other.box.x + other.box.width <= box.x + 1
      const above = box.y + box.height <= other.box.y + 2 || other.box.y + other.box.height <= box.y + 2
      if (!beside && !above) clashes.push(text + ' overlaps ' + other.text)
    }
  }
  for (const line of svg.querySelectorAll('.edge .line')) {
    const event = line.parentElement.dataset.event
    for (let at = 0; at <= line.getTotalLength(); at += 2) {
      const { x, y } = line.getPointAtLength(at)
      for (const { text, box } of boxes) {
        if (x > box.x && x < box.x + box.width && y > box.y + 2 && y < box.y + box.height - 2) clashes.push('the line of ' + event + ' runs through ' + text)
      }
    }
  }
  return [...new Set(clashes)]
`

const pathsOf = (state: ChartState): readonly string[] => [state.path, ...state.states.flatMap(pathsOf)]

const drawings = [
  ['nested and parallel states', 'down', release],
  ['nested and parallel states', 'right', release],
  ['a line of agents', 'down', pipeline],
  ['a line of agents', 'right', pipeline],
  ['many transitions', 'down', busy],
  ['many transitions', 'right', busy],
] as const

describe('toSvg', () => {
  it.for(drawings)('lays out %s, %s, so that no text is covered', async ([, direction, machine], ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    const svg = await toSvg(chartOf(machine, { agents }), { direction })
    expect(await ask(svg, FIND_CLASHES)).toEqual([])
  })

  it('marks every state and every transition for programs', async (ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    const chart = chartOf(release, { agents })
    const svg = await toSvg(chart)
    const states = await ask(svg, `return [...document.querySelectorAll('[data-state]')].map((g) => g.dataset.state)`)
    expect(states).toEqual(pathsOf(chart.root))
    const edges = await ask<readonly string[]>(
      svg,
      `return [...document.querySelectorAll('.edge')].map(({ dataset }) => [dataset.event, dataset.source, dataset.target].join(' '))`,
    )
    expect(edges).toContain('JUMP paused building.docs.polished')
    expect(edges).toContain('CANCEL  cancelled')
  })

  it('draws an arrow from where a transition starts to where it leads, also when it leads back', async () => {
    const { boxes, edges } = await layoutChart(chartOf(pipeline), 'down')
    const boxOf = (path: string) => boxes.find(({ state }) => state.path === path)!
    const back = edges.find(({ source, target }) => source === 'testing' && target === 'coding')!
    const [from, to] = [back.points[0]!, back.points.at(-1)!]
    expect(from.y).toBe(boxOf('testing').y)
    expect(to.y).toBe(boxOf('coding').y + boxOf('coding').height)
  })

  it('lets a flow run down from the initial state', async () => {
    const { boxes } = await layoutChart(chartOf(pipeline), 'down')
    const tops = ['research', 'analysis', 'planning', 'coding', 'testing', 'finished'].map(
      (path) => boxes.find(({ state }) => state.path === path)!.y,
    )
    expect(tops).toEqual(tops.toSorted((a, b) => a - b))
  })

  it('highlights the active states', async (ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    const active = activePaths({ building: { code: 'writing', docs: 'draft' } })
    const svg = await toSvg(chartOf(release), { active })
    expect(await ask(svg, `return [...document.querySelectorAll('.active')].map((g) => g.dataset.state)`)).toEqual(
      active,
    )
  })

  it('is light or dark as the reader is', async (ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    const svg = await toSvg(chartOf(pipeline))
    const paper = `return getComputedStyle(document.querySelector('.paper')).fill`
    expect(await ask(svg, paper, 'light')).toBe('rgb(255, 255, 255)')
    expect(await ask(svg, paper, 'dark')).toBe('rgb(13, 17, 23)')
  })

  it('shows names that are syntax elsewhere as plain text', async (ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    const states = Object.fromEntries(ODD_NAMES.map((name) => [name, {}]))
    const svg = await toSvg(chartOf(createMachine({ initial: 'end', states })))
    const found = await ask<{ states: readonly string[]; elements: readonly string[] }>(
      svg,
      `return {
        states: [...document.querySelectorAll('[data-state]')].map((g) => g.dataset.state),
        elements: [...new Set([...document.querySelectorAll('svg *')].map(({ localName }) => localName))],
      }`,
    )
    expect(found.states).toHaveLength(ODD_NAMES.length + 1)
    expect(found.states).toContain(statePath(['dot.ted.name']))
    expect(found.elements.toSorted()).toEqual(['circle', 'g', 'path', 'rect', 'style', 'text', 'title'])
  })

  it('is well-formed XML that opens on its own', async (ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    const svg = await toSvg(chartOf(release, { agents }))
    const parse = `return new DOMParser().parseFromString(${JSON.stringify(svg)}, 'image/svg+xml').querySelector('parsererror')?.textContent ?? 'fine'`
    expect(await ask('', parse)).toBe('fine')
  })

  it('draws the same machine the same way', async () => {
    expect(await toSvg(chartOf(release, { agents }))).toBe(await toSvg(chartOf(release, { agents })))
  })

  it.each([100, 500])('draws a machine of %i transitions', async (count) => {
    const states = Array.from({ length: count }, (_, index) => [
      `s${index}`,
      { on: { NEXT: `s${(index * 7 + 1) % count}` } },
    ])
    const { boxes, edges } = await layoutChart(
      chartOf(createMachine({ initial: 's0', states: Object.fromEntries(states) })),
      'down',
    )
    expect(boxes).toHaveLength(count + 1)
    expect(edges.every(({ points }) => points.length >= 2)).toBe(true)
  })

  it('says how to install ELK when it is missing', async () => {
    const missing = () => Promise.reject(new Error("Cannot find package 'elkjs'"))
    const error: unknown = await layoutChart(chartOf(pipeline), 'down', missing).catch((reason: unknown) => reason)
    expect(isCallboardError(error, 'graph.elk-missing')).toBe(true)
    expect(String(error)).toContain('npm install elkjs')
  })

  it('says what else to do when ELK fails', async () => {
    const broken = class {
      layout(): Promise<never> {
        return Promise.reject(new TypeError("Cannot read properties of undefined (reading 'a')"))
      }
    }
    const load = () => Promise.resolve({ default: broken })
    const error: unknown = await layoutChart(chartOf(pipeline), 'down', load).catch((reason: unknown) => reason)
    expect(isCallboardError(error, 'graph.layout-failed')).toBe(true)
    expect(String(error)).toContain('dot or mermaid')
  })
})
