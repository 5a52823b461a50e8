// Peers: other libraries the benchmarks compare with. They have a folder and a lock file of their own (peers/) and are
// installed the first time they are wanted, so that installing the project stays small.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
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

export interface SaverOptions {
  readonly path: string
  readonly synchronous: 'FULL' | 'NORMAL'
  /** What its state holds from the beginning. */
  readonly values: Readonly<Record<string, unknown>>
}

/** A checkpointer with the state of any number of threads. */
export interface OpenSaver {
  /** Keeps the state after one key of it was written. */
  update(threadId: string, key: string, value: unknown): Promise<void>
  close(): void
}

export interface SqliteSaverPeer {
  openSaver(options: SaverOptions): OpenSaver
}

export type Peer<Module> =
  | { readonly kind: 'ready'; readonly module: Module }
  | { readonly kind: 'missing'; readonly reason: string }

const FOLDER = new URL('./peers/', import.meta.url)
const INSTALL_LIMIT_MS = 120_000

/** LangGraph.js, installed if it is not yet. */
export function loadLangGraph(): Promise<Peer<LangGraphPeer>> {
  return load('langgraph.ts')
}

/** LangGraph's SqliteSaver, installed if it is not yet. */
export function loadSqliteSaver(): Promise<Peer<SqliteSaverPeer>> {
  return load('sqlite-saver.ts')
}

async function load<Module>(file: string): Promise<Peer<Module>> {
  const failure = isInstalled() ? undefined : install()
  if (failure !== undefined) return { kind: 'missing', reason: failure }
  try {
    const address: string = new URL(file, FOLDER).href
    return { kind: 'ready', module: (await import(address)) as Module }
  } catch (error) {
    return { kind: 'missing', reason: `it cannot be loaded: ${String((error as Error).message).split('\n')[0]}` }
  }
}

/** Whether everything is there, also what was added since. */
function isInstalled(): boolean {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', FOLDER), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>
  }
  return Object.keys(dependencies).every((name) => existsSync(new URL(`node_modules/${name}/package.json`, FOLDER)))
}

function install(): string | undefined {
  console.error('Installing what is compared with into test/bench/peers (once, 95 MB) …')
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
