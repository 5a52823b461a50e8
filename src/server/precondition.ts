// Precondition: what a write expects to be there. One that a write does not look at is refused, never passed over.
import { CallboardError } from '../base/index.ts'
import { thrown } from './problem.ts'

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
  const number = /^(?:W\/)?"(?<number>\d{1,15})"$/.exec(etag)?.groups?.['number']
  if (number !== undefined) return Number(number)
  throw thrown({ status: 412, code: 'server.invalid', message: 'If-Match is none of the ETags this server gives' })
}

function invalid(message: string): CallboardError {
  return new CallboardError('server.invalid', message, {})
}
