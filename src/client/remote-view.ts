// RemoteView: what an agent saw of a run elsewhere when it was asked for.
import { CallboardError, fromTagged, setOwn } from '../base/index.ts'
import type { Entry } from '../context/index.ts'

/** An entry as it comes over the wire. */
export type WireEntry = Readonly<Record<string, unknown>> & { readonly key: string }

export function entryFromWire({ value, metadata, holder, expiresAt, ...rest }: WireEntry): Entry {
  return Object.freeze({
    ...rest,
    value: fromTagged(value),
    metadata: fromTagged(metadata),
    holder: holder ?? undefined,
    expiresAt: expiresAt ?? undefined,
  }) as unknown as Entry
}

export class RemoteView<Values extends object = Record<string, unknown>> {
  /** Counts the changes this agent could see; not the run's seq. */
  readonly seq: number
  readonly #agent: string
  readonly #entries: readonly Entry[]
  readonly #byKey: ReadonlyMap<string, Entry>

  constructor(agent: string, { seq, entries }: { readonly seq: number; readonly entries: readonly Entry[] }) {
    this.seq = seq
    this.#agent = agent
    this.#entries = Object.freeze([...entries])
    this.#byKey = new Map(entries.map((entry) => [entry.key, entry]))
  }

  get<Key extends keyof Values & string>(key: Key): Values[Key] | undefined {
    return this.#byKey.get(key)?.value as Values[Key] | undefined
  }

  /** @throws CallboardError `view.absent` */
  getOrThrow<Key extends keyof Values & string>(key: Key): Values[Key] {
    const entry = this.#byKey.get(key)
    if (entry !== undefined) return entry.value as Values[Key]
    const message = `${this.#agent} cannot read "${key}": nothing it may see was there; waitFor("${key}") waits for it`
    throw new CallboardError('view.absent', message, { agent: this.#agent, key })
  }

  has(key: keyof Values & string): boolean {
    return this.#byKey.has(key)
  }

  entry<Key extends keyof Values & string>(key: Key): Entry<Values[Key]> | undefined {
    return this.#byKey.get(key) as Entry<Values[Key]> | undefined
  }

  /** In the order in which agents are shown them. */
  entries(): readonly Entry<Values[keyof Values]>[] {
    return this.#entries as readonly Entry<Values[keyof Values]>[]
  }

  keys(): readonly (keyof Values & string)[] {
    return this.#entries.map(({ key }) => key as keyof Values & string)
  }

  toObject(): Readonly<Partial<Values>> {
    const object: Record<string, unknown> = {}
    for (const { key, value } of this.#entries) setOwn(object, key, value)
    return Object.freeze(object) as Readonly<Partial<Values>>
  }
}
