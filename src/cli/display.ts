// Display: shows the runs of a runtime while they go on: on a terminal as a block that is redrawn in place, elsewhere as
// lines.
//   D1. A block is written as a whole in one write; what is above it is never touched.
//   D2. While it is paused nothing is written.
import type { Runtime } from '../runtime/index.ts'
import type { Terminal } from './terminal.ts'
import { Watch } from './watch.ts'
import type { Happening, WatchedAgent, WatchedRun } from './watch.ts'
import { visibleText } from './visible-text.ts'

/** What shows runs. */
export interface Display {
  /** Takes the block away, so that something else can be written. */
  pause(): void
  resume(): void
  /** Leaves the last state on the screen. Twice is harmless. */
  close(): void
}

const REDRAW_MS = 100
const BAR_LENGTH = 16
/** A block is never cut shorter than this. */
const LEAST_LINES = 4

/** Shows what happens in the runs of a runtime from now on. */
export function createDisplay(runtime: Runtime, terminal: Terminal): Display {
  return terminal.isInteractive ? new LiveDisplay(runtime, terminal) : new LineDisplay(runtime, terminal)
}

class LineDisplay implements Display {
  readonly #watch: Watch
  readonly #startedAt: number

  constructor(runtime: Runtime, terminal: Terminal) {
    const { clock, out } = terminal
    this.#startedAt = clock.now()
    const tell = (happening: Happening): void => {
      out.write(`${seconds(clock.now() - this.#startedAt).padStart(8)}  ${lineOf(happening, terminal)}\n`)
    }
    this.#watch = new Watch({ runtime, clock, tell })
  }

  pause(): void {}
  resume(): void {}
  close(): void {
    this.#watch.close()
  }
}

class LiveDisplay implements Display {
  readonly #terminal: Terminal
  readonly #watch: Watch
  #timer: unknown
  #drawn = 0
  #isPaused = false

  constructor(runtime: Runtime, terminal: Terminal) {
    this.#terminal = terminal
    this.#watch = new Watch({ runtime, clock: terminal.clock, tell: () => {} })
    this.#tick()
  }

  pause(): void {
    this.#isPaused = true
    this.#write([])
  }

  resume(): void {
    this.#isPaused = false
    if (this.#timer !== undefined) this.#draw()
  }

  close(): void {
    if (this.#timer === undefined) return
    this.#terminal.clock.clearTimeout(this.#timer)
    this.#timer = undefined
    this.#watch.close()
    if (!this.#isPaused) this.#draw()
  }

  #tick(): void {
    if (!this.#isPaused) this.#draw()
    this.#timer = this.#terminal.clock.setTimeout(() => this.#tick(), REDRAW_MS)
    // Looking at a run must not keep the process from noticing that nothing goes on.
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  #draw(): void {
    // One line is left for the cursor.
    const room = Math.max(LEAST_LINES, this.#terminal.rows() - 1)
    this.#write(
      fitted(this.#watch.runs(), room)
        .flatMap((run) => blockOf(run, this.#terminal))
        .slice(0, room),
    )
  }

  /** Goes up to where the block began, writes it anew and clears what is left of the old one; lines are cut, not wrapped. */
  #write(lines: readonly string[]): void {
    if (lines.length === 0 && this.#drawn === 0) return
    const up = this.#drawn === 0 ? '' : `\u001B[${this.#drawn}F`
    const body = lines.map((line) => `\u001B[2K${line}\n`).join('')
    this.#terminal.out.write(`\u001B[?7l${up}${body}\u001B[0J\u001B[?7h`)
    this.#drawn = lines.length
  }
}

function lineOf({ agent, text, tone }: Happening, { style }: Terminal): string {
  const line = visibleText(agent === undefined ? text : `${agent} ${text}`)
  switch (tone) {
    case 'plain':
      return line
    case 'good':
      return style('green', line)
    case 'bad':
      return style('red', line)
    case 'attention':
      return style('bold', line)
    default:
      throw new TypeError(`unknown tone ${String(tone satisfies never)}`)
  }
}

/** Where there is too little room, agents and runs that have ended go first, oldest first. */
function fitted(runs: readonly WatchedRun[], room: number): readonly WatchedRun[] {
  const lines = runs.reduce((sum, { agents }) => sum + 1 + agents.length, 0)
  let surplus = lines - room
  if (surplus <= 0) return runs
  const isOver = ({ status }: WatchedAgent): boolean => status !== 'running' && status !== 'waiting'
  return runs.map((run) => ({ ...run, agents: run.agents.filter((agent) => !isOver(agent) || surplus-- <= 0) }))
}

function blockOf({ workflow, runId, phase, startedAt, agents }: WatchedRun, terminal: Terminal): string[] {
  const { style, clock } = terminal
  const width = Math.max(0, ...agents.map(({ id }) => visibleText(id).length))
  const elapsed = seconds(clock.now() - startedAt)
  const head = `${style('bold', visibleText(workflow))} ${style('dim', visibleText(runId))}  ${style('cyan', visibleText(phase))}  ${style('dim', elapsed)}`
  return [head, ...agents.map((agent) => agentLine(agent, width, terminal))]
}

function agentLine({ id, status, text, done, total }: WatchedAgent, width: number, { style }: Terminal): string {
  const name = visibleText(id).padEnd(width)
  switch (status) {
    case 'finished':
      return `  ${style('green', '✔')} ${name}  ${style('dim', text)}`
    case 'failed':
      return `  ${style('red', '✖')} ${name}  ${text}`
    case 'stopped':
      return `  ${style('yellow', '■')} ${name}  ${style('dim', 'stopped')}`
    case 'waiting':
      return `  ${style('yellow', '…')} ${name}  ${text}`
    default:
      return `  ${style('cyan', '●')} ${name}  ${bar(done, total)}${text}`
  }
}

function bar(done: number | undefined, total: number | undefined): string {
  if (done === undefined || total === undefined || total <= 0) return ''
  const filled = Math.round(Math.min(1, done / total) * BAR_LENGTH)
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_LENGTH - filled)} ${done}/${total} `
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
