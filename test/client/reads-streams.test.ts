// The client's side of a stream, over connections that do what they like.
import { describe, expect, it } from 'vitest'
import { createClient } from 'callboard/client'
import { refusalOf } from '../runtime/world.ts'
import { createTestClock } from '../support/clock.ts'

const encoder = new TextEncoder()
const change = (seq: number, author = 'ann'): string =>
  `id: ${seq}\nevent: change\ndata: ${JSON.stringify({ seq, author })}\n\n`
const END = 'id: 9\nevent: end\ndata: {}\n\n'

/** Answers each request with the next body, and notes what was asked for. */
function serverOf(bodies: readonly ReadableStream<Uint8Array>[]) {
  const asked: (string | null)[] = []
  const fetch: typeof globalThis.fetch = (_address, init) => {
    asked.push(new Headers(init?.headers).get('last-event-id'))
    const headers = { 'content-type': 'text/event-stream; charset=utf-8' }
    return Promise.resolve(new Response(bodies[asked.length - 1], { headers }))
  }
  return { fetch, asked }
}

function inPieces(text: string, size: number): ReadableStream<Uint8Array> {
  const bytes = encoder.encode(text)
  let at = 0
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close()
      controller.enqueue(bytes.slice(at, at + size))
      at += size
    },
  })
}

/** Says something, then nothing any more, and does not end. */
function deadAfter(text: string, onCancel: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(encoder.encode(text)), cancel: onCancel })
}

async function changesOf(
  { fetch }: { readonly fetch: typeof globalThis.fetch },
  clock = createTestClock(),
): Promise<readonly unknown[]> {
  const changes: unknown[] = []
  for await (const one of createClient({ url: 'http://server', fetch, clock }).run('r1').changes()) changes.push(one)
  return changes
}

describe('events', () => {
  it.each([1, 2, 3, 7, 100_000])('come whole, however they are cut: into pieces of %i bytes', async (size) => {
    const text = `: callboard\n\n${change(1, '€\u{1f600}é')}: alive\n\n${change(2, 'x'.repeat(2_000))}${END}`
    expect(await changesOf(serverOf([inPieces(text, size)]))).toEqual([
      { seq: 1, author: '€\u{1f600}é' },
      { seq: 2, author: 'x'.repeat(2_000) },
    ])
  })

  it('that were cut off are asked for again: those that came whole are not', async () => {
    const clock = createTestClock()
    const server = serverOf([inPieces(change(1) + change(2).slice(0, -1), 10), inPieces(change(2) + END, 10)])
    const changes = changesOf(server, clock)
    await clock.advance(1_000)
    expect(await changes).toEqual([
      { seq: 1, author: 'ann' },
      { seq: 2, author: 'ann' },
    ])
    expect(server.asked).toEqual([null, '1'])
  })
})

describe('what answers in a stream’s place', () => {
  const html = (status: number) => () => new Response('<html>', { status, headers: { 'content-type': 'text/html' } })
  const garbled = () =>
    new Response('id: 1\nevent: change\ndata: {"seq"\n\n', { headers: { 'content-type': 'text/event-stream' } })

  it.each([
    ['a page', html(200)],
    ['a page that is not found', html(404)],
    ['events of somebody else', garbled],
  ])('is no Callboard, and not asked again: %s', async (_name, answer) => {
    let asked = 0
    const fetch = (): Promise<Response> => Promise.resolve((asked++, answer()))
    const error = await refusalOf(changesOf({ fetch }))
    expect(error).toMatchObject({ code: 'client.answer', details: { url: 'http://server' } })
    expect(asked).toBe(1)
  })

  it('is asked again while it says that there is nobody at the moment', async () => {
    const clock = createTestClock()
    const good = serverOf([inPieces(change(1) + END, 100)])
    const away = [html(502), html(503)]
    const fetch: typeof globalThis.fetch = async (...args) => away.shift()?.() ?? good.fetch(...args)
    const changes = changesOf({ fetch }, clock)
    await clock.advance(10_000)
    expect(await changes).toEqual([{ seq: 1, author: 'ann' }])
  })
})

describe('a connection', () => {
  it('without any sign of life for a minute is given up for another', async () => {
    const clock = createTestClock()
    let given = 0
    const server = serverOf([deadAfter(change(1), () => (given += 1)), inPieces(change(2) + END, 1_000)])
    const changes = changesOf(server, clock)
    await clock.advance(59_999)
    expect([server.asked, given]).toEqual([[null], 0])
    await clock.advance(1_000)
    expect((await changes).length).toBe(2)
    expect([server.asked, given]).toEqual([[null, '1'], 1])
    expect(clock.armed).toBe(0)
  })

  it('is left when nobody listens any more', async () => {
    let left = 0
    const clock = createTestClock()
    const { fetch } = serverOf([deadAfter(change(1), () => (left += 1))])
    for await (const { seq } of createClient({ url: 'http://server', fetch, clock }).run('r1').changes()) {
      expect(seq).toBe(1)
      break
    }
    expect([left, clock.armed]).toEqual([1, 0])
  })
})
