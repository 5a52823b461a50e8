// The way out of an update that is being applied, with the reason. Never leaves this folder.
import { admitValue, isCallboardError } from '../base/index.ts'
import type { AdmittedValue } from '../base/index.ts'
import type { Access } from './access.ts'
import { authorName } from './author.ts'
import type { Author } from './author.ts'
import type { Cell } from './entry.ts'
import { describeAddress } from './scope.ts'
import type { Change, PlaceChange, Refusal, RefusalReason } from './update.ts'

/** A change that somebody asked for key by key. */
type AskedChange = Exclude<Change, PlaceChange>

/** Thrown while an update is prepared or applied; becomes a refusal. */
export class Refused {
  readonly reason: RefusalReason
  readonly key: string | undefined
  readonly rule: string
  readonly actualVersion: number | undefined

  constructor(reason: RefusalReason, key: string | undefined, rule: string, actualVersion?: number) {
    this.reason = reason
    this.key = key
    this.rule = rule
    this.actualVersion = actualVersion
  }
}

/** A value as it can be kept; one that cannot be is refused. */
export function admitOrRefuse(key: string, value: unknown, admitIt = admitValue): AdmittedValue {
  try {
    return admitIt(value)
  } catch (error) {
    if (isCallboardError(error, 'value.unsupported')) throw new Refused('value', key, error.message)
    throw error
  }
}

export function refuseUnexpected({ key, expectedVersion }: AskedChange, current: Cell | undefined): void {
  const version = current?.entry.version ?? 0
  if (expectedVersion === undefined || expectedVersion === version) return
  throw new Refused(
    'expected-version',
    key,
    `version ${expectedVersion} was expected, version ${version} is there; read it again and retry`,
    version,
  )
}

export function protectedRule(change: AskedChange): string {
  return `${describeAddress(change)} is protected; only an agent with grants.protected, or override: true from outside, may ${change.kind === 'put' ? 'overwrite' : 'delete'} it`
}

/** A refusal as its author is told it, who cannot see what is there: nothing of that, neither version, author nor rule. */
export function redactRefusal({ kind, reason, key, author }: Refusal): Refusal {
  const rule =
    reason === 'expected-version'
      ? 'the expected version is not there'
      : 'what is there is out of its sight and does not take this update'
  return Object.freeze({ kind, reason, key, author, message: `${author} may not write "${key}": ${rule}` })
}

/** The key is not among the writes of the agent's type. */
export function notWritable(key: string, { rules }: Access): Refused {
  return new Refused('not-writable', key, `the writes of agent type ${rules.type} are ${listOf(rules.writes)}`)
}

/**
 * A refusal as an agent that works elsewhere is told it. Which keys the catalogue knows is nothing for one that may not write
 * them: an unknown key is refused like any other that is not among its writes.
 */
export function refusalForElsewhere(refusal: Refusal, { author, access }: { author: Author; access: Access }): Refusal {
  const { reason, key } = refusal
  const isOutOfReach = reason === 'unknown-key' && key !== undefined && !access.canWrite(key)
  return isOutOfReach ? refusalOf(notWritable(key, access), author) : refusal
}

export function refusalOf({ reason, key, rule, actualVersion }: Refused, author: Author): Refusal {
  const by = authorName(author)
  const message = key === undefined ? `${by}: ${rule}` : `${by} may not write "${key}": ${rule}`
  return Object.freeze({
    kind: 'refused',
    reason,
    key,
    author: by,
    message,
    ...(actualVersion === undefined ? {} : { actualVersion }),
  })
}

export function listOf(patterns: readonly string[]): string {
  return patterns.length === 0 ? 'empty' : patterns.map((pattern) => `"${pattern}"`).join(', ')
}
