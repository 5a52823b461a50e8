import { spawnSync } from 'node:child_process'

import * as fc from 'fast-check'
import { createMachine } from 'xstate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Browser, Page } from 'playwright-core'

import { isCallboardError } from '../../src/base/index.ts'
import { CHART_FORMATS, chartOf, renderChart } from '../../src/graph/index.ts'
import type { ChartState } from '../../src/graph/index.ts'
import { stateName, visible } from '../../src/graph/label.ts'
import { noBrowser, openBrowser, openOfflinePage } from '../support/browser.ts'
import { machineFrom, oddShape } from './odd-machines.ts'

let browser: Browser | undefined
let page: Page

beforeAll(async () => {
  if (noBrowser !== undefined) return
  browser = await openBrowser()
  ;({ page } = await openOfflinePage(browser))
  await page.addScriptTag({ path: 'node_modules/mermaid/dist/mermaid.min.js' })
})

afterAll(() => browser?.close())

const statesOf = (state: ChartState): readonly ChartState[] => [state, ...state.states.flatMap(statesOf)]

/** Compared without white space, which every format is free to break lines at. */
const squeezed = (text: string): string => text.replaceAll(/[\s\u00A0]+/g, '')

/** The texts of a rendered Mermaid diagram, or of an XML document with its attributes. */
const textsIn = (mermaidOrXml: string, kind: 'mermaid' | 'xml'): Promise<string> =>
  page.evaluate(`(async (source, kind) => {
    if (kind === 'mermaid') {
      mermaid.initialize({ startOnLoad: false, maxEdges: 5000 })
      document.body.innerHTML = (await mermaid.render('chart', source)).svg
      return document.body.textContent
    }
    const parsed = new DOMParser().parseFromString(source, 'application/xml')
    const error = parsed.querySelector('parsererror')
    if (error) throw new Error(error.textContent)
    const elements = [...parsed.querySelectorAll('*')]
    return elements.flatMap(({ attributes }) => [...attributes].map(({ value }) => value)).join(' ') + parsed.documentElement.textContent
  })(${JSON.stringify(mermaidOrXml)}, ${JSON.stringify(kind)})`)

describe('renderChart', () => {
  it('knows five formats', async () => {
    const chart = chartOf(createMachine({ id: 'tiny' }))
    for (const format of CHART_FORMATS) expect(await renderChart(chart, format)).toContain('tiny')
  })

  it('names the formats there are when asked for another', async () => {
    const chart = chartOf(createMachine({}))
    // @ts-expect-error: 'pdf' is not a format
    const error: unknown = await renderChart(chart, 'pdf').catch((reason: unknown) => reason)
    expect(isCallboardError(error, 'graph.unknown-format')).toBe(true)
    expect(String(error)).toContain('"pdf"; choose one of mermaid, dot, json, svg, scxml')
  })

  it('writes any machine in every format, with every state in it', async (ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    await fc.assert(
      fc.asyncProperty(oddShape, async (shape) => {
        const chart = chartOf(machineFrom(shape))
        const states = statesOf(chart.root)
        const names = states.slice(1).map((state) => squeezed(visible(stateName(state))))
        const missing = (text: string) => names.filter((name) => !squeezed(text).includes(name))

        expect(structuredClone(chart)).toEqual(chart)
        expect(JSON.parse(await renderChart(chart, 'json'))).toMatchObject(chart)
        expect(missing(await textsIn(await renderChart(chart, 'mermaid'), 'mermaid'))).toEqual([])
        expect(missing(await textsIn(await renderChart(chart, 'svg'), 'xml'))).toEqual([])
        await textsIn(await renderChart(chart, 'scxml'), 'xml')
        const dot = spawnSync('dot', ['-Tplain'], { input: await renderChart(chart, 'dot'), encoding: 'utf8' })
        expect(dot.error ? '' : dot.stderr).toBe('')
      }),
      { numRuns: 20 },
    )
  }, 120_000)
})
