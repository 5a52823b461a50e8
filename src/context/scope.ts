/** Who sees an entry, from the widest to the narrowest. */
export const SCOPES = ['global', 'workflow', 'group', 'private'] as const

export type Scope = (typeof SCOPES)[number]

/** The larger, the fewer see it. */
export function narrownessOf(scope: Scope): number {
  return SCOPES.indexOf(scope)
}

export function isScope(value: unknown): value is Scope {
  return typeof value === 'string' && (SCOPES as readonly string[]).includes(value)
}

/**
 * Which entry is meant: the same key may stand once in each scope and, for `group` and `private`, once per holder (the
 * group's name, the agent's id).
 */
export interface EntryAddress {
  readonly scope: Scope
  readonly holder: string | undefined
  readonly key: string
}

/** One text per address of a group or private entry; lengths keep ids with any characters apart. */
export function scopedId(scope: Scope, holder: string, key: string): string {
  return `${scope}:${holder.length}:${holder}${key}`
}

/** One text per address; that of a workflow entry is its key. */
export function addressId({ scope, holder, key }: EntryAddress): string {
  if (holder !== undefined) return `\u0000${scopedId(scope, holder, key)}`
  return scope === 'workflow' ? key : `\u0000${scope}${key}`
}

/** `"notes"`, or `"notes" of group coders`: how messages name an entry. */
export function describeAddress({ scope, holder, key }: EntryAddress): string {
  if (holder === undefined) return scope === 'workflow' ? `"${key}"` : `${scope} "${key}"`
  return `${scope} "${key}" of ${holder}`
}

export function isSameAddress(one: EntryAddress, other: EntryAddress): boolean {
  return one.key === other.key && one.scope === other.scope && one.holder === other.holder
}
