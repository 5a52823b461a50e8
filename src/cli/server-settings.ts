// Settings of the server in the environment, as AoS has them.
import { CallboardError } from '../base/index.ts'

export interface ServerSettings {
  /** The folder of the workspace. */
  readonly runsRoot: string | undefined
  /** Commits to memory need no milestone when they ask for it. */
  readonly testMode: boolean
  readonly qdrantUrl: string | undefined
  readonly qdrantCollection: string | undefined
}

/** @throws CallboardError `cli.settings` that names every variable that is not valid */
export function readServerSettings(env: Readonly<Record<string, string | undefined>>): ServerSettings {
  const given = (name: string): string | undefined => (env[name] === '' ? undefined : env[name])
  const [testMode = '0', qdrantUrl] = [given('AOS_TEST_MODE'), given('QDRANT_URL')]
  const wrong = [
    ...(['0', '1'].includes(testMode) ? [] : ['AOS_TEST_MODE is 0 or 1']),
    ...(qdrantUrl === undefined || URL.canParse(qdrantUrl) ? [] : ['QDRANT_URL is an http address']),
  ]
  if (wrong.length > 0) {
    throw new CallboardError('cli.settings', `${wrong.join('; ')}; correct it in the environment, or unset it`, {})
  }
  return {
    runsRoot: given('AOS_RUNS_ROOT'),
    testMode: testMode === '1',
    qdrantUrl,
    qdrantCollection: given('QDRANT_COLLECTION'),
  }
}
