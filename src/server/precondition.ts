// Precondition: the ETags of what is read, and what a write expects to be there. One that a write does not look at is
// refused, never passed over.
import { hash } from 'node:crypto'
import { CallboardError } from '../base/index.ts'
import { thrown } from './problem.ts'

const MARK_LENGTH = 16

/**
 * The ETag of what is shown: its version or seq, then a mark of every byte. What a reader sees changes without a new version
 * (entries go stale, or are lost with their process), while a write expects the version only.
 */
export function etagOf(version: number, shown: string): string {
  return `"${version}-${hash('sha256', shown, 'base64url').slice(0, MARK_LENGTH)}"`
}

/**
 * The number of If-Match: a version or a seq.
 * @param isLookedAt whether the write has something to compare it with
 * @throws CallboardError `server.invalid`; a problem with 412 for what is none of our ETags
 */
export function expectedIn(headers: Headers, isLookedAt: boolean): number | undefined {
  if (headers.has('if-none-match')) {
    throw invalid('a write does not look at If-None-Match; If-Match: "0" expects that there is nothing yet')
  }
  const etag = headers.get('if-match')
  if (etag === null) return undefined
  if (!isLookedAt) throw invalid('If-Match is not looked at here; leave it out')
  if (etag === '*') throw invalid('If-Match names an ETag here, not *')
  const number = /^(?:W\/)?"(?<number>\d{1,15})(?:-[\w-]{16})?"$/.exec(etag)?.groups?.['number']
  if (number !== undefined) return Number(number)
  throw thrown({ status: 412, code: 'server.invalid', message: 'If-Match is none of the ETags this server gives' })
}

/**
 * What If-Match and the body expect together.
 * @throws CallboardError `server.invalid` where that is not the same
 */
export function oneExpected(ifMatch: number | undefined, inBody: number | undefined): number | undefined {
  if (ifMatch === undefined || inBody === undefined || ifMatch === inBody) return ifMatch ?? inBody
  throw invalid(`If-Match expects ${ifMatch} and the body expects ${inBody}; say one of them`)
}

function invalid(message: string): CallboardError {
  return new CallboardError('server.invalid', message, {})
}
