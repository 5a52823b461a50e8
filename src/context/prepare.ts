// Prepare: from what an author asked to an update that a board can apply, or to a refusal. Everything that needs the
// author's rights, the schema or the caller's objects happens here; afterwards only frozen data is left.
import { CallboardError } from '../base/index.ts'
import type { Access } from './access.ts'
import type { Author } from './author.ts'
import type { Catalogue, CatalogueEntry } from './catalogue.ts'
import type { Lineage } from './entry.ts'
import { inferPriority, inferScope } from './infer.ts'
import { isWellFormedKey } from './key.ts'
import { DURATION_RULE, isDuration, LAST_INSTANT } from './lifetime.ts'
import { admitMetadata } from './metadata.ts'
import type { Policy } from './policy.ts'
import { isPriority } from './priority.ts'
import { admitOrRefuse, listOf, notWritable, refusalOf, Refused } from './refused.ts'
import { parseBy } from './schema.ts'
import { describeAddress, narrownessOf } from './scope.ts'
import type { EntryAddress, Scope } from './scope.ts'
import { Update } from './update.ts'
import type { Change, Refusal, Seen, WriteOptions } from './update.ts'
import { drop, isWrite } from './write.ts'
import type { PutOptions, Write } from './write.ts'

/** What an author may say of a whole update. */
export interface UpdateOptions {
  /** A policy for every key that does not name its own. `prefixed` puts `prefix` before every key. */
  readonly policy?: string
  readonly prefix?: string
  /** By key: refused unless this is the version that is there (0: none). */
  readonly expectedVersion?: Readonly<Record<string, number>>
  /** Refused unless nothing the author can see has changed since this `seq`. */
  readonly expectedSeq?: number
  /** `drop` deletes every entry the author may write and does not mention; protected ones stay. */
  readonly others?: 'keep' | 'drop'
  /** Overwrite and delete protected entries; only for authors outside the run. */
  readonly override?: boolean
}

/** Who asks, with what rights, and what it knew. */
export interface Asking {
  readonly catalogue: Catalogue
  readonly author: Author
  /** The rights of an agent; undefined for the workflow and for outside. */
  readonly access: Access | undefined
  readonly id: string
  readonly at: number
  readonly lineage: Lineage
  /** What the author had seen of an entry. */
  readonly seen: (address: EntryAddress) => Seen
  /** Where the entries alive are that `others: 'drop'` may concern. */
  readonly others: () => Iterable<EntryAddress>
}

/** Makes an update of what was asked, or says why it cannot be one. */
export function prepareUpdate(
  asking: Asking,
  asked: Readonly<Record<string, unknown>>,
  options: UpdateOptions = {},
): Update | Refusal {
  try {
    const writes = withOthers(asking, prefixed(asked, options), options)
    const { maxKeysPerUpdate } = asking.catalogue.limits
    if (writes.length > maxKeysPerUpdate) {
      throw new Refused(
        'limit',
        undefined,
        `an update may write ${maxKeysPerUpdate} keys, not ${writes.length}; split it`,
      )
    }
    const changes = writes.map(([key, write]) => prepareChange(asking, key, write, options))
    if (options.expectedVersion !== undefined) refuseUnwritten(changes, options.expectedVersion)
    const { id, author, at, lineage } = asking
    return new Update({ id, author, at, changes, lineage })
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return refusalOf(error, asking.author)
  }
}

function prefixed(asked: Readonly<Record<string, unknown>>, { policy, prefix }: UpdateOptions): [string, unknown][] {
  const writes = Object.entries(asked)
  if (policy !== 'prefixed') return writes
  if (prefix === undefined || prefix === '') {
    throw new Refused(
      'policy',
      undefined,
      `policy prefixed needs a prefix: update(…, { policy: 'prefixed', prefix: 'phase1.' })`,
    )
  }
  return writes.map(([key, write]) => [`${prefix}${key}`, write])
}

function withOthers(asking: Asking, writes: [string, unknown][], { others }: UpdateOptions): [string, unknown][] {
  if (others !== 'drop') return writes
  const mentioned = new Set(writes.map(([key]) => key))
  const dropped: [string, unknown][] = []
  for (const { scope, holder, key } of asking.others()) {
    const definition = asking.catalogue.find(key)
    if (mentioned.has(key) || definition === undefined || definition.protected) continue
    if (asking.access === undefined || asking.access.canWrite(key)) dropped.push([key, drop(whereOf(scope, holder))])
  }
  return [...writes, ...dropped]
}

function whereOf(scope: Scope, holder: string | undefined): { scope: Scope; group?: string; holder?: string } {
  if (holder === undefined) return { scope }
  return scope === 'group' ? { scope, group: holder } : { scope, holder }
}

function prepareChange(asking: Asking, key: string, asked: unknown, options: UpdateOptions): Change {
  const { catalogue, access, author } = asking
  const known = catalogue.lookUp(key)
  if (known === undefined) {
    if (!isWellFormedKey(key))
      throw new Refused(
        'unknown-key',
        undefined,
        'a key must be a non-empty, well-formed text of at most 1,024 characters',
      )
    throw new Refused(
      'unknown-key',
      key,
      'the catalogue does not know it; add it to defineContext() or correct the key',
    )
  }
  const { definition } = known
  if (access !== undefined && !access.canWrite(key)) {
    throw notWritable(key, access)
  }
  const write: Write = isMarked(asked) ? asked : { kind: 'put', value: asked, options: NO_OPTIONS }
  const address = resolveAddress(asking, definition, key, write)
  const mayOverride =
    access === undefined ? author.kind === 'outside' && options.override === true : access.canOverwriteProtected(key)
  const { scope, holder } = address
  const seen = asking.seen(address)
  const expectedVersion = expectedVersionOf(key, options, write)
  if (write.kind === 'drop') return { kind: 'drop', scope, holder, key, definition, seen, expectedVersion, mayOverride }
  const { policy, policyName } = policyOf(catalogue, definition, key, write, options)
  const partial = write.kind === 'patch'
  const value = partial ? write.value : parseValue(definition, key, write.value)
  const admitted = admitOrRefuse(key, value)
  if (admitted.size > catalogue.limits.maxValueSize) {
    throw new Refused(
      'limit',
      key,
      `its value has about ${admitted.size} characters, ${catalogue.limits.maxValueSize} are allowed; raise limits.maxValueSize or keep a reference instead`,
    )
  }
  // Written out: spreading three objects costs more than the rest of this function.
  return {
    kind: 'put',
    scope,
    holder,
    key,
    definition,
    seen,
    expectedVersion,
    mayOverride,
    value: admitted.value,
    exotic: admitted.exotic,
    secret: admitted.secret || known.hasSecretName,
    size: admitted.size,
    partial,
    policy,
    policyName,
    options: writeOptions(definition, key, write.options, admitted.value),
  }
}

const NO_OPTIONS: PutOptions = Object.freeze({})

const isMarked = (asked: unknown): asked is Write => isWrite(asked)

function expectedVersionOf(key: string, { expectedVersion }: UpdateOptions, write: Write): number | undefined {
  const own = write.kind === 'drop' ? undefined : write.options.expectedVersion
  const ofUpdate =
    expectedVersion !== undefined && Object.hasOwn(expectedVersion, key) ? expectedVersion[key] : undefined
  if (own === undefined || ofUpdate === undefined || own === ofUpdate) return own ?? ofUpdate
  throw new Refused('expected-version', key, `versions ${own} and ${ofUpdate} are both expected; say one of them`)
}

/** What is expected of a key that is not written would be looked at by nobody. */
function refuseUnwritten(changes: readonly Change[], expected: Readonly<Record<string, number>>): void {
  const written = new Set(changes.map(({ key }) => key))
  const unwritten = Object.keys(expected).find((key) => !written.has(key))
  if (unwritten === undefined) return
  const rule = `version ${expected[unwritten]} is expected, but it is not among what is written; leave it out of expectedVersion`
  throw new Refused('expected-version', unwritten, rule)
}

function resolveAddress(
  { access, author }: Asking,
  definition: CatalogueEntry,
  key: string,
  write: Write,
): EntryAddress {
  const asked = write.kind === 'drop' ? write : write.options
  const standard = definition.infersScope ? inferScope(key) : definition.scope
  const scope: Scope = asked?.scope ?? standard
  if (narrownessOf(scope) < narrownessOf(standard)) {
    throw new Refused(
      'scope',
      key,
      `it is defined as ${standard}; writing it as ${scope} would show it to more readers`,
    )
  }
  switch (scope) {
    case 'global':
    case 'workflow':
      return { scope, holder: undefined, key }
    case 'group': {
      const group = asked?.group ?? definition.group ?? (author.kind === 'agent' ? author.type : undefined)
      if (group === undefined)
        throw new Refused('scope', key, 'it belongs to a group; say which: put(value, { group })')
      if (access !== undefined && !access.groups.includes(group)) {
        throw new Refused(
          'scope',
          key,
          `agent type ${access.rules.type} is not in group ${group} (its groups: ${listOf(access.groups)})`,
        )
      }
      return { scope, holder: group, key }
    }
    case 'private': {
      const holder = author.kind === 'agent' ? author.id : asked?.holder
      if (holder === undefined)
        throw new Refused('scope', key, 'it is private to an agent; say whose: put(value, { holder })')
      if (asked?.holder !== undefined && asked.holder !== holder) {
        throw new Refused(
          'scope',
          key,
          `${describeAddress({ scope, holder: asked.holder, key })} belongs to another agent`,
        )
      }
      return { scope, holder, key }
    }
    default:
      throw new TypeError(`unknown scope ${String(scope satisfies never)}`)
  }
}

function policyOf(
  catalogue: Catalogue,
  definition: CatalogueEntry,
  key: string,
  write: Exclude<Write, { kind: 'drop' }>,
  options: UpdateOptions,
): { policy: Policy; policyName: string } {
  const whole = options.policy === 'prefixed' ? 'replace' : options.policy
  const asked = write.options.policy ?? whole
  if (asked === undefined) return definition
  if (typeof asked === 'function') return { policy: asked, policyName: asked.name || 'custom' }
  const policy = catalogue.policy(asked)
  if (policy === undefined) {
    throw new Refused(
      'policy',
      key,
      `unknown policy "${asked}"; known are ${catalogue.policyNames.join(', ')}, prefixed`,
    )
  }
  return { policy, policyName: asked }
}

function parseValue(definition: CatalogueEntry, key: string, value: unknown): unknown {
  const parsed = parseBy(definition.schema, value)
  if (parsed.success) return parsed.data
  const { path, problem, isJudged } = parsed
  const place = path === '' ? 'the value' : `the value at ${path}`
  const hint = isJudged ? ' (to change only a part, use patch())' : ''
  throw new Refused('schema', key, `${place} does not fit its schema: ${problem}${hint}`)
}

function writeOptions(definition: CatalogueEntry, key: string, options: PutOptions, value: unknown): WriteOptions {
  if (options === NO_OPTIONS && !definition.infersPriority) return NO_OPTIONS
  const { priority, ttlMs, expiresAt, metadata, dependsOn, pinned } = options
  if (priority !== undefined && !isPriority(priority)) {
    throw new Refused('value', key, `unknown priority "${String(priority)}"; use critical, high, medium or low`)
  }
  if (ttlMs !== undefined && !isDuration(ttlMs)) throw new Refused('value', key, DURATION_RULE)
  if (expiresAt !== undefined && !(expiresAt >= 0 && expiresAt <= LAST_INSTANT)) {
    throw new Refused(
      'value',
      key,
      'expiresAt is an instant in milliseconds since 1970; leave it out for an entry that stays',
    )
  }
  return Object.freeze({
    ...(priority === undefined
      ? definition.infersPriority
        ? { priority: inferPriority(key, value) }
        : {}
      : { priority }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(metadata === undefined ? {} : { metadata: metadataOf(key, metadata) }),
    ...(dependsOn === undefined ? {} : { dependsOn: Object.freeze([...dependsOn]) }),
    ...(pinned === undefined ? {} : { pinned }),
  })
}

/** Metadata that holds a secret makes the entry sensitive. */
function metadataOf(key: string, metadata: unknown): Readonly<Record<string, unknown>> {
  const admitted = admitOrRefuse(key, metadata, admitMetadata)
  const own = admitted.value as Readonly<Record<string, unknown>>
  return admitted.secret ? Object.freeze({ ...own, sensitive: true }) : own
}

/** Throws what `update()` throws for a refusal. */
export function refusalError(refusal: Refusal, runId: string): CallboardError {
  return new CallboardError('update.refused', `run ${runId}: ${refusal.message}`, {
    runId,
    refusal,
    reason: refusal.reason,
  })
}
