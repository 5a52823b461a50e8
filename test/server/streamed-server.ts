// A server in a process of its own and readers of its streams in this one, which count what they get and keep nothing of it.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServerLimits } from 'callboard/server'
import type { Order, Usage } from './streams.child.ts'

export interface StreamedServer {
  /** What it used when it began. */
  readonly first: Usage
  /** Does it, then says what is used. */
  order(order: Order): Promise<Usage>
  /** Opens a stream of its run; resolves when it has begun. */
  read(path: string, options?: ReadOptions): Promise<CountingReader>
  close(): Promise<void>
}

export interface ReadOptions {
  readonly lastId?: number
  /** Takes the first bytes, then nothing. */
  readonly isSilent?: boolean
}

export async function openStreamedServer(limits: Partial<ServerLimits> = {}): Promise<StreamedServer> {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-streams-'))
  const child = fork(new URL('streams.child.ts', import.meta.url).pathname, [folder, JSON.stringify(limits)], {
    execArgv: ['--expose-gc'],
  })
  const answer = (): Promise<Usage> =>
    new Promise((resolve, reject) => {
      const fail = (code: number | null): void => reject(new Error(`the server has ended with ${code}`))
      child.once('exit', fail)
      child.once('message', (usage) => {
        child.off('exit', fail)
        resolve(usage as Usage)
      })
    })
  const first = await answer()
  const readers: CountingReader[] = []
  return {
    first,
    order(order) {
      const done = answer()
      child.send(order)
      return done
    },
    async read(path, options = {}) {
      const reader = new CountingReader(options)
      readers.push(reader)
      await reader.open(Number(new URL(first.url).port), path)
      return reader
    },
    async close() {
      for (const reader of readers) reader.leave()
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.disconnect()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export class CountingReader {
  lastId: number
  count = 0
  /** Ids that did not follow the one before. */
  gaps = 0
  isCut = false
  readonly #isSilent: boolean
  readonly #fromId: number | undefined
  #socket: Socket | undefined
  #rest = ''
  #wanted = Infinity
  #wake = (): void => {}

  constructor({ lastId, isSilent = false }: ReadOptions) {
    this.#fromId = lastId
    this.lastId = lastId ?? 0
    this.#isSilent = isSilent
  }

  open(port: number, path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const header = this.#fromId === undefined ? '' : `last-event-id: ${this.#fromId}\r\n`
      const socket = connect(port, '127.0.0.1', () =>
        socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${header}\r\n`),
      )
      this.#socket = socket
      socket.on('error', reject)
      socket.once('data', () => resolve())
      socket.on('data', (bytes) => {
        if (this.#isSilent) socket.pause()
        else this.#take(bytes)
      })
      socket.on('close', () => (this.isCut = true))
    })
  }

  /** Resolves when an id was read. */
  until(id: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = id
      this.#wake = resolve
      if (this.lastId >= id) resolve()
    })
  }

  leave(): void {
    this.#socket?.destroy()
  }

  /** Ids stand at the beginning of a line, which no data has: it is JSON. */
  #take(bytes: Buffer): void {
    const text = this.#rest + bytes.toString('latin1')
    let at = 0
    for (;;) {
      const begin = text.indexOf(ID, at)
      const end = begin < 0 ? -1 : text.indexOf('\n', begin + ID.length)
      if (end < 0) break
      // Of a view: its seq, and a mark.
      const id = Number.parseInt(text.slice(begin + ID.length, end), 10)
      if (this.count > 0 || this.#fromId !== undefined) this.gaps += id === this.lastId + 1 ? 0 : 1
      this.lastId = id
      this.count += 1
      at = end
    }
    this.#rest = text.slice(Math.max(at, text.length - LONGEST_ID))
    if (this.lastId >= this.#wanted) this.#wake()
  }
}

const ID = '\nid: '
const LONGEST_ID = 48
