// Rights: what an agent's patterns name in its catalogue, for the model that acts in its name.
import { z } from 'zod'
import { isPattern, matchesPattern, patternsOverlap } from '../context/index.ts'
import type { Catalogue, CatalogueEntry } from '../context/index.ts'

type JsonSchema = Readonly<Record<string, unknown>>

/** Whose rights a model acts with. */
export interface Rights {
  readonly catalogue: Catalogue
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  /** Where its calls are counted, which is not the model's business. */
  readonly usageKey: string | undefined
}

/** Whether one of some patterns gives a model a key. */
export function isNamed({ usageKey }: Pick<Rights, 'usageKey'>, patterns: readonly string[], key: string): boolean {
  return key !== usageKey && patterns.some((pattern) => matchesPattern(pattern, key))
}

/** The entries that some patterns name: single keys, and families of keys. */
export interface NamedEntries {
  readonly keys: ReadonlyMap<string, CatalogueEntry>
  readonly families: ReadonlyMap<string, CatalogueEntry>
}

/** What some patterns name. */
export function namedBy(rights: Rights, patterns: readonly string[]): NamedEntries {
  const { catalogue } = rights
  const keys = new Map<string, CatalogueEntry>()
  const families = new Map<string, CatalogueEntry>()
  for (const definition of catalogue.entries) {
    const { name } = definition
    for (const pattern of patterns) {
      if (!name.endsWith('*')) {
        if (isNamed(rights, [pattern], name)) keys.set(name, definition)
      } else if (!pattern.endsWith('*')) {
        if (catalogue.find(pattern) === definition) keys.set(pattern, definition)
      } else if (isPattern(pattern) && patternsOverlap(pattern, name)) {
        families.set(narrowerOf(pattern, name), definition)
      }
    }
  }
  return { keys, families }
}

const narrowerOf = (a: string, b: string): string => (a.length > b.length ? a : b)

/** The schema of an object with an entry under each key; of some of them, or of all. */
export function objectSchema(
  { keys, families }: NamedEntries,
  { isComplete }: { readonly isComplete: boolean },
): JsonSchema {
  const fields = Array.from(keys, ([key, { schema }]): [string, z.ZodType] => [
    key,
    isComplete ? schema : schema.optional(),
  ])
  const shape = Object.fromEntries(fields)
  const others = [...new Set([...families.values()].map(({ schema }) => schema))]
  const object = others.length === 0 ? z.strictObject(shape) : z.object(shape).catchall(z.union(others))
  // In one piece: definitions that schemas share stand at the root.
  const { $schema: _, ...schema } = z.toJSONSchema(object, { io: 'input', target: 'draft-7', unrepresentable: 'any' })
  return schema
}
