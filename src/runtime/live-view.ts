// LiveView: the newest view of one agent, whenever it is asked.
//   L1. What is read is noted: it is what the agent has seen when it writes.
//   L2. Reading a view again that is still the same costs next to nothing. It is a class for that: getters of their own for
//       every agent would make each of them another kind of object.
import type { BoardView, Cell, RenderedView, RenderOptions, Sight, View } from '../context/index.ts'
import type { LiveView } from '../workflow/index.ts'
import type { AgentWorld } from './agent-world.ts'
import type { ViewSlot } from './view-cache.ts'

/** Who reads. */
export interface ViewReader {
  readonly sight: Sight
  /** @throws CallboardError `view.not-readable` */
  assertReadable(key: string): void
  /** Reads a key and notes that it did. */
  read(key: string): Cell | undefined
  /** Notes that it has seen all of a view. */
  noteWhole(view: BoardView): void
}

export class AgentView implements LiveView<Record<string, unknown>> {
  readonly #world: AgentWorld
  readonly #reader: ViewReader
  #slot: ViewSlot
  /** What was noted last. */
  #noted: BoardView | undefined

  constructor(world: AgentWorld, reader: ViewReader) {
    this.#world = world
    this.#reader = reader
    this.#slot = world.slotOf(reader.sight)
    Object.freeze(this)
  }

  get current(): View {
    const { fresh } = this.#slot
    return fresh !== undefined && fresh === this.#noted && !this.#world.hasExpiry ? fresh : this.#whole()
  }

  get seq(): number {
    return this.#newest().seq
  }

  // Fields and not methods, so that they can be taken out: const { get } = view.
  readonly get: View['get'] = (key: string) => this.#readOne(key).get(key)
  readonly has: View['has'] = (key: string) => this.#readOne(key).has(key)
  readonly getOrThrow: View['getOrThrow'] = (key: string) => this.#readOne(key).getOrThrow(key)
  readonly entry: View['entry'] = (key: string) => this.#readOne(key).entry(key) as never
  readonly entries: View['entries'] = () => this.#whole().entries()
  readonly keys: View['keys'] = () => this.#whole().keys()
  readonly toObject: View['toObject'] = () => this.#whole().toObject()
  readonly render = (options: RenderOptions): RenderedView => this.#whole().render(options)

  #newest(): BoardView {
    if (this.#slot.isRetired) this.#slot = this.#world.slotOf(this.#reader.sight)
    return this.#world.readSlot(this.#slot)
  }

  #readOne(key: string): BoardView {
    this.#reader.assertReadable(key)
    this.#reader.read(key)
    return this.#newest()
  }

  #whole(): BoardView {
    const view = (this.#noted = this.#newest())
    this.#reader.noteWhole(view)
    return view
  }
}
