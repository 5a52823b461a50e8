// Peers: other libraries the benchmarks compare with. They have a folder and a lock file of their own (peers/) and are
// installed the first time they are wanted, so that installing the project stays small.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A graph whose only node writes one key of its state. */
export interface OpenGraph {
  /** Makes that many updates, one superstep each. */
  update(times: number): Promise<void>
}

export interface LangGraphPeer {
  /** A graph over a state of these keys, all of them written once. */
  openGraph(keys: readonly string[]): Promise<OpenGraph>
}

export type Peer<Module> =
  | { readonly kind: 'ready'; readonly module: Module }
  | { readonly kind: 'missing'; readonly reason: string }

const FOLDER = new URL('./peers/', import.meta.url)
const INSTALL_LIMIT_MS = 120_000

/** LangGraph.js, installed if it is not yet. */
export async function loadLangGraph(): Promise<Peer<LangGraphPeer>> {
  const failure = existsSync(new URL('node_modules/.package-lock.json', FOLDER)) ? undefined : install()
  if (failure !== undefined) return { kind: 'missing', reason: failure }
  const address: string = new URL('langgraph.ts', FOLDER).href
  return { kind: 'ready', module: (await import(address)) as LangGraphPeer }
}

function install(): string | undefined {
  console.error('Installing what is compared with into test/bench/peers (once, 63 MB) …')
  const npm = process.env['npm_execpath']
  const [command, ...first] = npm === undefined ? ['npm'] : [process.execPath, npm]
  const { status, error } = spawnSync(
    command ?? 'npm',
    [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=1'],
    { cwd: fileURLToPath(FOLDER), timeout: INSTALL_LIMIT_MS, stdio: ['ignore', 'ignore', 'inherit'] },
  )
  if (status === 0) return undefined
  return `npm ci in test/bench/peers failed (${error?.message ?? `exit code ${status}`}); is the registry reachable?`
}
