// Terminal: what a command needs of the process around it, so that tests can hand in another one.
import { styleText } from 'node:util'
import { systemClock } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import { EXIT } from './exit-code.ts'
import { writeError } from './fail.ts'

/** The signals that end a command. */
export type EndSignal = 'SIGINT' | 'SIGTERM'

/** Something that takes text: a stream, or a test's list. */
export interface Sink {
  write(text: string): unknown
}

export interface Terminal {
  readonly out: Sink
  readonly err: Sink
  readonly input: NodeJS.ReadableStream
  /** Somebody sits there: the output is drawn in place, and questions are answered. */
  readonly isInteractive: boolean
  /** Its height in lines. */
  rows(): number
  /** The text in a style, where the output shows styles. */
  style(format: Style, text: string): string
  readonly clock: Clock
  /** The current folder. */
  readonly cwd: string
  /** The variables of its environment. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Calls back when the process is told to end; gives the function that ends it. */
  onSignal(handler: (signal: EndSignal) => void): () => void
  /** Calls back when nothing is left that could go on by itself; gives the function that ends it. */
  onIdle(handler: () => void): () => void
}

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'

/** Of a terminal that does not tell its size. */
const USUAL_ROWS = 24

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process
  stdout.on('error', (error) => onUnwritten(error, stderr))
  stderr.on('error', (error) => onUnwritten(error))
  return {
    out: stdout,
    err: stderr,
    input: stdin,
    isInteractive: stdin.isTTY && stdout.isTTY && process.env['TERM'] !== 'dumb',
    rows: () => stdout.rows || USUAL_ROWS,
    style: (format, text) => styleText(format, text, { stream: stdout }),
    clock: systemClock,
    cwd: process.cwd(),
    env: process.env,
    onSignal: (handler) => {
      const signals = ['SIGINT', 'SIGTERM'] as const
      for (const signal of signals) process.on(signal, handler)
      return () => {
        for (const signal of signals) process.off(signal, handler)
      }
    },
    onIdle: (handler) => {
      process.on('beforeExit', handler)
      return () => process.off('beforeExit', handler)
    },
  }
}

let isUnwritten = false

/** What cannot be shown is told once, and is a failure whatever else comes of the command, which goes on to its end. */
function onUnwritten({ code, message }: NodeJS.ErrnoException, err?: Sink): void {
  // Whoever reads has seen enough (`| head`): what goes on is finished, unseen.
  if (code === 'EPIPE' || isUnwritten) return
  isUnwritten = true
  const told = `cannot write the output: ${message}; what the command does is done all the same`
  if (err !== undefined) writeError(new Error(told), { err })
  process.once('exit', () => {
    if (process.exitCode === undefined || process.exitCode === EXIT.success) process.exitCode = EXIT.failed
  })
}
