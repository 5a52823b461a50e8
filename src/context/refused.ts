// The way out of an update that is being applied, with the reason. Never leaves this folder.
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
