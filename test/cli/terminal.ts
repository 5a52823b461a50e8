// A terminal whose keys are pressed and whose screen is read by a test, on a clock that a test moves.
import { EventEmitter } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import type { EndSignal, Terminal } from '../../src/cli/index.ts'
import { createTestClock } from '../support/clock.ts'
import type { TestClock } from '../support/clock.ts'

export interface TestTerminal extends Terminal {
  readonly clock: TestClock
  /** Everything that was written so far. */
  written(): string
  /** What somebody would see who looks at the screen now: the block in place, without styles. */
  screen(): string[]
  type(text: string): void
  signal(signal: EndSignal): void
  idle(): void
  /** Resolves when the text has been written. */
  seen(text: string): Promise<void>
}

export function createTestTerminal({
  isInteractive,
  rows = 24,
}: {
  readonly isInteractive: boolean
  readonly rows?: number
}): TestTerminal {
  const clock = createTestClock()
  const events = new EventEmitter()
  const input = new PassThrough()
  let text = ''
  const out = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      text += String(chunk)
      events.emit('written')
      done()
    },
  })
  const on = (event: string, handler: (signal: EndSignal) => void): (() => void) => {
    events.on(event, handler)
    return () => events.off(event, handler)
  }
  return {
    out,
    err: out,
    input,
    isInteractive,
    rows: () => rows,
    style: (_format, styled) => styled,
    clock,
    cwd: process.cwd(),
    env: {},
    onSignal: (handler) => on('signal', handler),
    onIdle: (handler) => on('idle', handler),
    written: () => text,
    screen: () => screenOf(text),
    type: (keys) => void input.write(keys),
    signal: (signal) => void events.emit('signal', signal),
    idle: () => void events.emit('idle'),
    seen: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!text.includes(wanted)) return
          events.off('written', look)
          resolve()
        }
        events.on('written', look)
        look()
      }),
  }
}

/** Plays the few movements that are used: up to the start of a line, clearing a line, clearing what follows. */
function screenOf(text: string): string[] {
  let row = 0
  const lines: string[] = ['']
  // oxlint-disable-next-line no-control-regex
  for (const [, count, command, line] of text.matchAll(/\u001B\[([?\d]*)([A-Za-z])|([^\u001B\n]+|\n)/g)) {
    if (command === 'F') row -= Number(count)
    else if (command === 'K') lines[row] = ''
    else if (command === 'J') lines.splice(row, lines.length, '')
    else if (line === '\n') lines[++row] ??= ''
    else if (line !== undefined) lines[row] += line
  }
  return lines.map((line) => line.trimEnd()).filter((line) => line !== '')
}
