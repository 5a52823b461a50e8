// The client's requests, over connections that do what they like.
import { describe, expect, it } from 'vitest'
import { createClient } from 'callboard/client'
import type { RemoteRun } from 'callboard/client'
import { refusalOf } from '../runtime/world.ts'
import { createTestClock } from '../support/clock.ts'
import type { TestClock } from '../support/clock.ts'

const html = (status: number): Response => new Response('<html>', { status, headers: { 'content-type': 'text/html' } })

const ACCEPTED = '{"kind":"accepted","versions":{"a":1},"conflicts":[],"skipped":[]}'

/** An answer whose connection breaks in the middle. */
function cut(text: string): Response {
  const pieces = [new TextEncoder().encode(text.slice(0, 9))]
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces.shift()
      if (piece === undefined) controller.error(new TypeError('terminated'))
      else controller.enqueue(piece)
    },
  })
  return new Response(body)
}

interface World {
  readonly run: RemoteRun
  readonly clock: TestClock
  /** The idempotency keys of what was asked. */
  readonly keys: (string | null)[]
}

/** A run whose server gives these answers, the last one again and again. */
function createWorld(...answers: readonly (() => Response)[]): World {
  const clock = createTestClock()
  const keys: (string | null)[] = []
  const fetch: typeof globalThis.fetch = (_address, init) => {
    keys.push(new Headers(init?.headers).get('idempotency-key'))
    const answer = answers[Math.min(keys.length, answers.length) - 1] as () => Response
    return Promise.resolve(answer())
  }
  return { run: createClient({ url: 'http://server', fetch, clock }).run('r1'), clock, keys }
}

describe('what is no Callboard', () => {
  it.each([200, 404, 500])('is said to be none, and asked once: a page with status %i', async (status) => {
    const { run, keys } = createWorld(() => html(status))
    const error = await refusalOf(run.info())
    expect(error).toMatchObject({ code: 'client.answer', details: { url: 'http://server', status } })
    expect(error.message).toContain('check the url')
    expect(keys).toHaveLength(1)
  })

  it('but stands before one is asked again, and then said to be none', async () => {
    const { run, clock, keys } = createWorld(() => html(502))
    const asking = refusalOf(run.info())
    await clock.advance(60_000)
    expect(await asking).toMatchObject({ code: 'client.answer', details: { status: 502 } })
    expect(keys).toHaveLength(5)
  })
})

describe('a write', () => {
  it('is asked again by its key when its answer is cut in the middle', async () => {
    const { run, clock, keys } = createWorld(
      () => cut(ACCEPTED),
      () => new Response(ACCEPTED),
    )
    const writing = run.update({ a: 1 })
    await clock.advance(10_000)
    expect(await writing).toMatchObject({ kind: 'accepted', versions: { a: 1 } })
    expect(keys).toEqual([keys[0], keys[0]])
    expect(keys[0]).toEqual(expect.any(String))
  })

  it('is asked again when what stands before the server says that it is away', async () => {
    const { run, clock, keys } = createWorld(
      () => html(502),
      () => new Response(ACCEPTED),
    )
    const writing = run.update({ a: 1 })
    await clock.advance(10_000)
    expect(await writing).toMatchObject({ kind: 'accepted' })
    expect(keys).toHaveLength(2)
  })

  it('whose answers are all cut says that nobody answers', async () => {
    const { run, clock } = createWorld(() => cut(ACCEPTED))
    const writing = refusalOf(run.update({ a: 1 }))
    await clock.advance(60_000)
    expect(await writing).toMatchObject({ code: 'client.unreachable' })
  })
})
