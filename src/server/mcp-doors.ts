// MCP doors: one for every house, opened when it is first asked for. Place, caller, rate and body are looked at before.
import { openMcp } from '../mcp/index.ts'
import type { McpDoor } from '../mcp/index.ts'
import type { Runtime } from '../runtime/index.ts'
import type { House } from './house.ts'
import { openRun } from './runs.ts'

export class McpDoors {
  readonly #onFailure: (error: unknown) => void
  readonly #doors = new Map<Runtime, Promise<McpDoor>>()

  /** @param onFailure told of failures that are not the client's */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure
  }

  /** @throws CallboardError `mcp.package-missing` */
  of(house: House): Promise<McpDoor> {
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
      onFailure: this.#onFailure,
    })
    this.#doors.set(runtime, opening)
    opening.catch(() => this.#doors.delete(runtime))
    return opening
  }

  /** Ends every session and stream. Twice is harmless. */
  close(): void {
    for (const opening of this.#doors.values()) {
      opening.then((door) => door.close()).catch((error: unknown) => this.#onFailure(error))
    }
    this.#doors.clear()
  }
}
