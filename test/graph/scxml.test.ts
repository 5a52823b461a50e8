import { createMachine } from 'xstate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Browser } from 'playwright-core'

import { SCXML_NAMESPACE, chartOf, toScxml } from '../../src/graph/index.ts'
import { noBrowser, openBrowser } from '../support/browser.ts'
import { agents, pipeline, release } from './machines.ts'
import { ODD_NAMES } from './odd-machines.ts'

let browser: Browser | undefined

beforeAll(async () => {
  if (noBrowser === undefined) browser = await openBrowser()
})

afterAll(() => browser?.close())

interface Parsed {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly Parsed[]
}

/** The document as a strict XML parser reads it. */
async function parsed(xml: string): Promise<Parsed> {
  const page = await browser!.newPage()
  try {
    // As text: a function would be compiled for Node and use names that a page does not have.
    const read = `(xml) => {
      const document = new DOMParser().parseFromString(xml, 'application/xml')
      const error = document.querySelector('parsererror')
      if (error) throw new Error(error.textContent)
      const tree = (element) => ({
        name: element.localName,
        attributes: Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value])),
        children: [...element.children].map(tree),
      })
      return tree(document.documentElement)
    }`
    return (await page.evaluate(`(${read})(${JSON.stringify(xml)})`)) as Parsed
  } finally {
    await page.close()
  }
}

const all = (element: Parsed): readonly Parsed[] => [element, ...element.children.flatMap(all)]

describe('toScxml', () => {
  it('writes the elements of SCXML where its schema wants them', async (ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    const document = await parsed(toScxml(chartOf(release, { agents })))
    expect(document.name).toBe('scxml')
    expect(document.attributes).toMatchObject({
      version: '1.0',
      initial: 'release',
      xmlns: 'http://www.w3.org/2005/07/scxml',
    })
    const inside: Readonly<Record<string, readonly string[]>> = {
      scxml: ['datamodel', 'state', 'final'],
      state: ['initial', 'onentry', 'onexit', 'transition', 'invoke', 'state', 'parallel', 'final', 'history'],
      parallel: ['onentry', 'onexit', 'transition', 'invoke', 'state', 'parallel', 'history'],
      final: ['onentry', 'onexit', 'donedata'],
      history: ['transition'],
    }
    for (const { name, children } of all(document)) {
      for (const child of children) expect(inside[name] ?? [child.name]).toContain(child.name)
    }
  })

  it('refers to states that are there', async (ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    for (const machine of [release, pipeline]) {
      const elements = all(await parsed(toScxml(chartOf(machine))))
      const ids = elements
        .filter(({ name }) => /state|parallel|final|history/.test(name))
        .map(({ attributes }) => attributes['id'])
      expect(new Set(ids).size).toBe(ids.length)
      const targets = elements.flatMap(({ attributes }) =>
        (attributes['target'] ?? attributes['initial'] ?? '').split(' '),
      )
      for (const target of targets.filter(Boolean)) expect(ids).toContain(target)
    }
  })

  it('turns a delay into an event that is sent on entry and cancelled on exit', () => {
    const text = toScxml(chartOf(release))
    expect(text).toContain('<send id="after.500.planning" event="after.500.planning" delay="500ms"/>')
    expect(text).toContain('<cancel sendid="after.500.planning"/>')
    expect(text).toContain('<transition event="after.500.planning"')
  })

  it('keeps internal what XState keeps internal', () => {
    const self = { STAY: { target: 'inner' }, AGAIN: { target: 'inner', reenter: true } }
    const machine = createMachine({ id: 'm', initial: 'inner', states: { inner: { on: self } }, on: { GO: '.inner' } })
    const text = toScxml(chartOf(machine))
    expect(text).toContain('<transition event="STAY" callboard:target="inner"/>')
    expect(text).toContain('<transition event="AGAIN" target="inner" callboard:reenter="true"/>')
    expect(text).toContain('<transition event="GO" target="inner" type="internal"/>')
  })

  it('makes any name safe and gives every original back', async (ctx) => {
    if (noBrowser !== undefined) return ctx.skip(noBrowser)
    const on = Object.fromEntries(ODD_NAMES.map((name) => [name, { actions: name, guard: name }]))
    const states = Object.fromEntries(ODD_NAMES.map((name) => [name, { on, invoke: { src: name, id: name } }]))
    const document = await parsed(toScxml(chartOf(createMachine({ id: 'odd', initial: 'end', states } as never))))
    const elements = all(document)
    const original = (attribute: string, otherwise: string) =>
      new Set(
        elements
          .map(({ attributes }) => attributes[`callboard:${attribute}`] ?? attributes[otherwise])
          .filter((text) => text !== undefined)
          .map((text) => JSON.parse(`"${text}"`) as string),
      )
    for (const name of ODD_NAMES) {
      expect(original('key', 'id')).toContain(name)
      expect(original('event', 'event')).toContain(name)
      expect(original('guard', '')).toContain(name)
      expect(original('action', '')).toContain(name)
      expect(original('src', '')).toContain(name)
    }
    const tokens = elements.flatMap(({ attributes }) => [attributes['id'], attributes['event']]).filter(Boolean)
    for (const token of tokens) expect(token).toMatch(/^[\p{L}\p{N}._*-]+$/u)
  })

  it('names its own namespace', () => {
    expect(toScxml(chartOf(pipeline))).toContain(`xmlns:callboard="${SCXML_NAMESPACE}"`)
  })

  it('stays the same text', () => {
    expect(toScxml(chartOf(release, { agents }))).toMatchSnapshot()
  })
})
