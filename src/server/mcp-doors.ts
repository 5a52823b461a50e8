// MCP doors: one for every house, opened when it is first asked for. Place, caller, rate and body are looked at before.
//   D1. The sessions of a token that is no longer in force end within a second, with what waits in them; their streams need
//       not be open for that.
import { openMcp } from '../mcp/index.ts'
import type { Clock } from '../base/index.ts'
import type { McpDoor } from '../mcp/index.ts'
import type { Runtime } from '../runtime/index.ts'
import type { ServerBook } from './book.ts'
import type { House } from './house.ts'
import { openRun } from './runs.ts'

/** What sessions are looked after with. */
interface DoorKeeping {
  readonly clock: Clock
  readonly book: Pick<ServerBook, 'isTokenInForce'>
  /** Told of failures, and of clients that break the protocol. */
  readonly onFailure: (error: unknown) => void
}

/** Revoked within a second, whatever a session is doing. */
const LOOK_MS = 500

export class McpDoors {
  readonly #keeping: DoorKeeping
  readonly #doors = new Map<Runtime, Promise<McpDoor>>()
  readonly #opened = new Set<McpDoor>()
  #timer: unknown

  constructor(keeping: DoorKeeping) {
    this.#keeping = keeping
  }

  /** @throws CallboardError `mcp.package-missing` */
  of(house: House): Promise<McpDoor> {
    if (this.#timer === undefined) this.#lookLater()
    const { runtime, workflows, memory } = house
    const known = this.#doors.get(runtime)
    if (known !== undefined) return known
    const opening = openMcp({
      runtime,
      workflows,
      ...(memory === undefined ? {} : { memory }),
      hosts: 'any',
      origins: 'any',
      open: (runId) => openRun(house, runId),
      onFailure: this.#keeping.onFailure,
    })
    this.#doors.set(runtime, opening)
    opening.then(
      (door) => this.#opened.add(door),
      () => this.#doors.delete(runtime),
    )
    return opening
  }

  /** Ends every session and stream. Twice is harmless. */
  close(): void {
    this.#keeping.clock.clearTimeout(this.#timer)
    for (const opening of this.#doors.values()) {
      opening.then((door) => door.close()).catch(this.#keeping.onFailure)
    }
    this.#doors.clear()
    this.#opened.clear()
  }

  #lookLater(): void {
    const { clock } = this.#keeping
    this.#timer = clock.setTimeout(() => this.#look(), LOOK_MS)
    clock.keepAlive?.(this.#timer, false)
  }

  #look(): void {
    const { clock, book, onFailure } = this.#keeping
    const now = clock.now()
    for (const door of this.#opened) {
      // Without tokens nobody owns a session.
      const over = [...door.owners].filter((owner) => owner !== '' && !book.isTokenInForce(owner, now))
      for (const owner of over) door.endSessions(owner).catch(onFailure)
    }
    this.#lookLater()
  }
}
