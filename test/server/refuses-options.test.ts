// What a server is opened with: an option that is none is refused with its name before anything is opened.
import { createRuntime } from 'callboard'
import { openBook, openServer } from 'callboard/server'
import type { ServerBook, ServerOptions } from 'callboard/server'
import { describe, expect, it, onTestFinished } from 'vitest'

interface Case {
  readonly asked: Partial<ServerOptions>
  readonly code: string
  /** Made for the case. */
  readonly book?: () => ServerBook
}

function closedBook(): ServerBook {
  const book = openBook()
  book.close()
  return book
}

function bookWithToken(): ServerBook {
  const book = openBook()
  book.addToken({ name: 'ann', role: 'reader', tenant: 'default', agent: undefined }, 0)
  return book
}

const CASES: Readonly<Record<string, Case>> = {
  'a port that is too high': { asked: { port: 99_999 }, code: 'server.option' },
  'a port below 0': { asked: { port: -1 }, code: 'server.option' },
  'half a port': { asked: { port: 1.5 }, code: 'server.option' },
  'a port that is no number': { asked: { port: Number.NaN }, code: 'server.option' },
  'a text, which would be the path of a socket': { asked: { port: 'abc' as never }, code: 'server.option' },
  'a limit that is no number above 0': { asked: { limits: { streams: 0 } }, code: 'server.option' },
  'a limit that nobody knows': { asked: { limits: { nope: 1 } as never }, code: 'server.option' },
  'every address while there is no token': { asked: { host: '' }, code: 'server.open-to-all' },
  'an address of another machine': { asked: { host: '192.0.2.1' }, code: 'server.address', book: bookWithToken },
  'a book that is closed': { asked: {}, code: 'server.book', book: closedBook },
}

describe('a server', () => {
  it.each(Object.entries(CASES))('refuses %s', async (_what, { asked, code, book }) => {
    const runtime = await createRuntime()
    const own = book?.()
    onTestFinished(async () => {
      own?.close()
      await runtime.close()
    })
    const opening = openServer({ runtime, port: 0, ...asked, ...(own === undefined ? {} : { book: own }) })
    await expect(opening).rejects.toMatchObject({ name: 'CallboardError', code })
  })
})
