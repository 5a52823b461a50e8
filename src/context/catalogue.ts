// Catalogue: the entries a workflow knows. Immutable; shared by all runs of the workflow.
import type { z } from 'zod'
import { CallboardError, isCallboardError, isSecretName } from '../base/index.ts'
import { checkRoomLimits } from './evict.ts'
import type { RoomLimits } from './evict.ts'
import { isWellFormedKey } from './key.ts'
import { DURATION_RULE, isDuration } from './lifetime.ts'
import { admitMetadata } from './metadata.ts'
import { matchesPattern, patternsOverlap } from './pattern.ts'
import { POLICIES } from './policy.ts'
import type { MergeableType, Policy, PolicyName } from './policy.ts'
import { isPriority } from './priority.ts'
import type { Priority } from './priority.ts'
import { isScope } from './scope.ts'
import type { Scope } from './scope.ts'

/** What a catalogue says of an entry beside its schema. */
export interface EntryOptions<DependsOn extends string = string> {
  /** Who sees it; `workflow` unless given. */
  readonly scope?: Scope
  /** The group it belongs to; without it, the group named after the writing agent's type. Only with `scope: 'group'`. */
  readonly group?: string
  /** `medium` unless given. */
  readonly priority?: Priority
  /** Once written, only an explicit grant overwrites or deletes it. */
  readonly protected?: boolean
  /** Never stored; gone at the end of the phase and after a restart. */
  readonly ephemeral?: boolean
  /** Denied to every agent without a grant. Unless given, names and contents that look like secrets make it so. */
  readonly sensitive?: boolean
  /** Never evicted, always in the prompt. */
  readonly pinned?: boolean
  /** How an update meets an existing value: a policy's name, or a function. `smart` unless given. */
  readonly merge?: PolicyName | Policy | (string & {})
  /** Keys it is made from: when one of them changes, this entry becomes stale. */
  readonly dependsOn?: readonly DependsOn[]
  /** Milliseconds after each write until it expires. */
  readonly ttlMs?: number
  readonly metadata?: Readonly<Record<string, unknown>>
  /** The value it has from the start of a run. */
  readonly default?: unknown
  /** Someone outside the run writes it: waiting for it is never a deadlock. */
  readonly outside?: boolean
  /** Guess scope and priority from key and value where neither is given (for boards that take any key). */
  readonly infer?: boolean
  /** What it is, for people and prompts. */
  readonly description?: string
}

/** One line of a catalogue: a schema and what else is known. Made by `entry()`. */
export interface EntryDefinition<Schema extends z.ZodType = z.ZodType, DependsOn extends string = string> {
  readonly schema: Schema
  readonly options: EntryOptions<DependsOn>
}

/** The definitions of a workflow's entries by key, or by a pattern that ends in `*`. */
export type Definitions = Readonly<Record<string, EntryDefinition>>

/** Bounds that every update is held to. */
export interface BoardLimits {
  /** Most entries alive in one run (global entries not counted). */
  readonly maxEntries: number
  /** Largest value, in characters of its JSON. */
  readonly maxValueSize: number
  /** Most keys in one update. */
  readonly maxKeysPerUpdate: number
}

export const DEFAULT_LIMITS: BoardLimits = Object.freeze({
  maxEntries: 100_000,
  maxValueSize: 16_000_000,
  maxKeysPerUpdate: 10_000,
})

/** What a catalogue needs beside its definitions. */
export interface CatalogueOptions {
  /** The user's own policies by name. */
  readonly policies?: Readonly<Record<string, Policy>>
  /** Kinds of value that `smart` merges by their own function. */
  readonly types?: readonly MergeableType[]
  readonly limits?: Partial<BoardLimits>
  /** What all entries of a run may hold together; the least important are evicted. Set by `workflow({ limits })`. */
  readonly room?: RoomLimits
}

/** Resolved defaults of one definition. */
export interface CatalogueEntry {
  /** The key or pattern it was defined under. */
  readonly name: string
  readonly schema: z.ZodType
  readonly scope: Scope
  readonly group: string | undefined
  readonly priority: Priority
  readonly protected: boolean
  readonly ephemeral: boolean
  readonly sensitive: boolean | undefined
  readonly pinned: boolean
  readonly policy: Policy
  readonly policyName: string
  readonly dependsOn: readonly string[]
  readonly ttlMs: number | undefined
  readonly metadata: Readonly<Record<string, unknown>>
  readonly hasNoMetadata: boolean
  readonly default: unknown
  readonly outside: boolean
  readonly infersScope: boolean
  readonly infersPriority: boolean
  readonly description: string | undefined
  /** What is known of its keys, by whether their name tells of a secret. */
  readonly ifSecretName: KnownKey
  readonly ifOrdinaryName: KnownKey
}

/** What a catalogue knows of one key. */
interface KnownKey {
  readonly definition: CatalogueEntry
  readonly hasSecretName: boolean
}

type Mutable<Type> = { -readonly [Field in keyof Type]: Type[Field] }

const MOST_REMEMBERED_KEYS = 20_000

function metadataOf(
  { metadata = {} }: EntryOptions,
  invalid: (rule: string) => CallboardError,
): Readonly<Record<string, unknown>> {
  try {
    return admitMetadata(metadata).value as Readonly<Record<string, unknown>>
  } catch (error) {
    throw isCallboardError(error) ? invalid(error.message) : error
  }
}

export class Catalogue {
  readonly types: readonly MergeableType[]
  readonly limits: BoardLimits
  /** What the entries of a run may hold together, where that is limited. */
  readonly room: RoomLimits | undefined
  readonly #definitions: Definitions
  readonly #options: CatalogueOptions
  readonly #exact = new Map<string, CatalogueEntry>()
  /** Longest prefix first. */
  readonly #families: readonly CatalogueEntry[]
  readonly #policies: ReadonlyMap<string, Policy>
  #hasSensitive: boolean | undefined
  readonly #known = new Map<string, KnownKey>()

  /** @throws CallboardError `catalogue.invalid` and `catalogue.cycle`, naming the entry and the rule */
  constructor(definitions: Definitions, options: CatalogueOptions = {}) {
    this.types = Object.freeze([...(options.types ?? [])])
    this.limits = Object.freeze({ ...DEFAULT_LIMITS, ...options.limits })
    this.room = options.room === undefined ? undefined : checkRoomLimits(options.room)
    this.#definitions = definitions
    this.#options = options
    this.#policies = new Map([...Object.entries<Policy>(POLICIES), ...Object.entries(options.policies ?? {})])
    const families: CatalogueEntry[] = []
    for (const [name, definition] of Object.entries(definitions)) {
      const entry = this.#resolve(name, definition)
      if (name.endsWith('*')) families.push(entry)
      else this.#exact.set(name, entry)
    }
    this.#families = families.sort((a, b) => b.name.length - a.name.length)
    this.#refuseUnknownDependencies()
    this.#refuseCycles()
  }

  /** The same catalogue for a workflow whose entries may only hold so much together. */
  withRoom(room: RoomLimits): Catalogue {
    return new Catalogue(this.#definitions, { ...this.#options, room })
  }

  /** Every definition, in the order written; families behind exact keys. */
  get entries(): readonly CatalogueEntry[] {
    return [...this.#exact.values(), ...this.#families]
  }

  /** The definition a key falls under, or undefined. */
  find(key: string): CatalogueEntry | undefined {
    return this.lookUp(key)?.definition
  }

  /** Whether some entry is declared to be sensitive. */
  get hasSensitive(): boolean {
    return (this.#hasSensitive ??= this.entries.some(({ sensitive }) => sensitive === true))
  }

  /** What is known of a key: its definition, and whether its name says that it holds a secret. One look, remembered. */
  lookUp(key: string): KnownKey | undefined {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const definition =
      this.#exact.get(key) ??
      (isWellFormedKey(key) ? this.#families.find(({ name }) => matchesPattern(name, key)) : undefined)
    if (definition === undefined) return undefined
    if (this.#known.size >= MOST_REMEMBERED_KEYS) this.#known.clear()
    // One object per definition and answer: keys are many, and this is looked at for each of them.
    const looked = isSecretName(key) ? definition.ifSecretName : definition.ifOrdinaryName
    this.#known.set(key, looked)
    return looked
  }

  /** Whether some entry could be named by the pattern. */
  isMatchedBy(pattern: string): boolean {
    return this.entries.some(({ name }) => patternsOverlap(pattern, name))
  }

  /** The policy of that name, the user's own included. */
  policy(name: string): Policy | undefined {
    return this.#policies.get(name)
  }

  /** The names of all policies, for messages. */
  get policyNames(): readonly string[] {
    return [...this.#policies.keys()]
  }

  #resolve(name: string, { schema, options }: EntryDefinition): CatalogueEntry {
    const invalid = (rule: string): CallboardError =>
      new CallboardError('catalogue.invalid', `entry "${name}": ${rule}`, { key: name })
    if (!isWellFormedKey(name)) throw invalid('a key is a non-empty, well-formed text of at most 1,024 characters')
    if (options.scope !== undefined && !isScope(options.scope))
      throw invalid(`unknown scope "${String(options.scope)}"`)
    if (options.priority !== undefined && !isPriority(options.priority)) {
      throw invalid(`unknown priority "${String(options.priority)}"; use critical, high, medium or low`)
    }
    if (options.group !== undefined && options.scope !== 'group') throw invalid(`group needs scope: 'group'`)
    if (options.ttlMs !== undefined && !isDuration(options.ttlMs)) throw invalid(DURATION_RULE)
    const merge = options.merge ?? 'smart'
    const policy = typeof merge === 'function' ? merge : this.#policies.get(merge)
    if (policy === undefined) {
      throw invalid(`unknown policy "${String(merge)}"; known are ${this.policyNames.join(', ')}`)
    }
    const resolved: Mutable<CatalogueEntry> = {
      name,
      schema,
      scope: options.scope ?? 'workflow',
      group: options.group,
      priority: options.priority ?? 'medium',
      protected: options.protected ?? false,
      ephemeral: options.ephemeral ?? false,
      sensitive: options.sensitive,
      pinned: options.pinned ?? false,
      policy,
      policyName: typeof merge === 'function' ? merge.name || 'custom' : merge,
      dependsOn: Object.freeze([...(options.dependsOn ?? [])]),
      ttlMs: options.ttlMs,
      metadata: metadataOf(options, invalid),
      hasNoMetadata: Object.keys(options.metadata ?? {}).length === 0,
      default: options.default,
      outside: options.outside ?? false,
      infersScope: options.infer === true && options.scope === undefined,
      infersPriority: options.infer === true && options.priority === undefined,
      description: options.description,
      ifSecretName: undefined as never,
      ifOrdinaryName: undefined as never,
    }
    resolved.ifSecretName = Object.freeze({ definition: resolved, hasSecretName: true })
    resolved.ifOrdinaryName = Object.freeze({ definition: resolved, hasSecretName: false })
    return Object.freeze(resolved)
  }

  #refuseUnknownDependencies(): void {
    for (const { name, dependsOn } of this.entries) {
      for (const key of dependsOn) {
        if (!key.endsWith('*') && this.find(key) !== undefined) continue
        throw new CallboardError(
          'catalogue.invalid',
          `entry "${name}" depends on "${key}", which is no key of the catalogue; add it, or name keys instead of a pattern`,
          { key: name, dependency: key },
        )
      }
    }
  }

  #refuseCycles(): void {
    const done = new Set<string>()
    const visit = (name: string, trail: readonly string[]): void => {
      if (trail.includes(name)) {
        const cycle = [...trail.slice(trail.indexOf(name)), name]
        throw new CallboardError('catalogue.cycle', `entries depend on each other in a circle: ${cycle.join(' → ')}`, {
          cycle,
        })
      }
      if (done.has(name)) return
      for (const key of this.find(name)?.dependsOn ?? []) visit(this.find(key)?.name ?? key, [...trail, name])
      done.add(name)
    }
    for (const { name } of this.entries) visit(name, [])
  }
}
