// The version of Node that Callboard needs: it is asked for before anything is loaded that an older one does not have.
const LEAST = '24.15.0'

/** What to tell somebody whose Node is too old; undefined for one that is not. */
export function nodeVersionError(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor = 0, leastMinor = 0] = LEAST.split('.').map(Number)
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined
  return `error: callboard needs Node ${LEAST} or newer, this is ${version}; install a newer one`
}
