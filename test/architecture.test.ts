// The direction of the dependencies, the homes of the packages and the public names hold, or this test says where not.
import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import {
  breaksOfForm,
  breaksOfHomes,
  breaksOfLeaves,
  breaksOfLength,
  breaksOfRank,
  breaksOfUsers,
  breaksOfWorld,
  readModule,
} from './support/architecture.ts'
import type { Module } from './support/architecture.ts'

const ROOT = new URL('../', import.meta.url)

async function read(...patterns: readonly string[]): Promise<readonly Module[]> {
  const paths: string[] = []
  for await (const path of glob([...patterns], { cwd: ROOT.pathname })) paths.push(path)
  return paths
    .map((path) => path.replaceAll('\\', '/'))
    .toSorted()
    .map((path) => readModule({ path, text: readFileSync(new URL(path, ROOT), 'utf8') }))
}

const src = await read('src/**/*.ts')
const users = await read('machines/**/*.ts', 'examples/**/*.ts')

/** DESIGN, section 7. */
const RANKS = {
  base: 0,
  context: 1,
  waits: 2,
  ledger: 2,
  store: 3,
  workflow: 3,
  memory: 4,
  pack: 4,
  runtime: 5,
  check: 6,
  ai: 6,
  client: 6,
  testing: 6,
  graph: 6,
  mcp: 7,
  otel: 7,
  studio: 7,
  server: 8,
  cli: 9,
} as const

/** Where values of a package may be imported. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  xstate: ['src/workflow', 'src/runtime', 'src/graph', 'machines'],
  zod: [
    'src/workflow',
    'src/runtime/requests.ts',
    'src/check',
    'src/ai',
    'src/client',
    'src/mcp',
    'src/server',
    'src/memory',
    'src/pack',
    'src/cli',
    'machines',
    'examples',
  ],
  mitt: ['src/base/bus.ts'],
  'import-meta-resolve': ['src/base/import-package.ts'],
  tinyqueue: ['src/base'],
  immutable: ['src/context'],
  'sorted-btree': ['src/context'],
  'lru-cache': ['src/runtime', 'src/store/sqlite'],
  elkjs: ['src/graph'],
  fflate: ['src/pack'],
  yauzl: ['src/pack'],
  commander: ['src/cli', 'machines/evolution'],
  hono: ['src/server'],
  '@hono/node-server': ['src/server'],
  redis: ['src/store/redis'],
  pg: ['src/store/postgres'],
  ai: ['src/ai', 'examples'],
  '@opentelemetry/api': ['src/otel'],
  '@modelcontextprotocol/server': ['src/mcp'],
  '@modelcontextprotocol/client': ['examples'],
  '@modelcontextprotocol/node': ['examples'],
  'sqlite-vec': ['src/memory/sqlite'],
  'oxc-parser': ['machines/evolution'],
  'magic-string': ['machines/evolution'],
  diff: ['machines/evolution'],
  callboard: ['machines', 'examples'],
}

/** Where the defaults are made that everybody else is handed. */
const WORLD = {
  'src/base/clock.ts': ['Date.now', 'performance.now', 'setTimeout'],
  'src/runtime/breath.ts': ['setImmediate', 'node:timers/promises'],
  'src/runtime/runtime.ts': ['Math.random'],
  'src/testing/test-clock.ts': ['setImmediate'],
  'src/server/together.ts': ['setImmediate'],
  'src/cli': ['console', 'Date.now', 'new Date()', 'setTimeout', 'setImmediate', 'node:timers/promises'],
} as const

/** Files over 400 lines, each with why it is clearer whole. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'src/runtime/run-core.ts': 'the order of what follows a commit (R2) is read in one place',
  'src/runtime/runtime.ts': 'what runs share is put together in one place, and what a user can ask stands beside it',
  'src/runtime/engine.ts': 'from event to acknowledgement is one story with four invariants',
  'src/runtime/agent-process.ts': 'everything an agent is handed, with what ends it',
  'src/testing/memory-cases.ts': 'a list of cases as data, read one at a time',
  'src/testing/store-cases.ts': 'a list of cases as data, read one at a time',
  'src/store/sqlite/sqlite-store.ts': 'one transaction, its statements and its damage report',
}
const LONGEST = 400

describe('the source', () => {
  it('is there to be looked at', () => {
    expect(src.length).toBeGreaterThan(80)
    expect(users.length).toBeGreaterThan(0)
    expect(src.find(({ path }) => path === 'src/runtime/runtime.ts')?.imports.length).toBeGreaterThan(5)
  })

  it('imports values from its own folder or one of lower rank, and enters folders through their index', () => {
    expect(breaksOfRank(src, RANKS)).toEqual([])
  })

  it('opens store backends only from the doors', () => {
    expect(breaksOfLeaves(src, ['cli', 'server', 'testing'])).toEqual([])
  })

  it('imports third-party packages in their homes only', () => {
    expect(breaksOfHomes([...src, ...users], HOMES)).toEqual([])
  })

  it('keeps entries and waits free of input and output', () => {
    const impure = src
      .filter(({ path }) => /^src\/(context|waits)\//.test(path))
      .flatMap(({ path, imports }) =>
        imports.filter(({ request }) => request.startsWith('node:')).map(({ request }) => `${path} imports ${request}`),
      )
    expect(impure).toEqual([])
  })

  it('is handed clock, randomness and console: nothing reaches for them', () => {
    expect(breaksOfWorld(src, WORLD)).toEqual([])
  })

  it('has no `export *`, default export or enum', () => {
    expect(breaksOfForm(src)).toEqual([])
  })

  it('has no file over 400 lines without a reason, and no reason without its file', () => {
    expect(breaksOfLength(src, LONGEST, LONG_FILES)).toEqual([])
    const paths = new Set(src.map(({ path }) => path))
    expect(Object.keys(LONG_FILES).filter((path) => !paths.has(path))).toEqual([])
  })
})

describe('machines and examples', () => {
  it('import callboard, their own folder and packages', () => {
    expect(breaksOfUsers(users)).toEqual([])
  })
})

describe('the public names', () => {
  const index = src.find(({ path }) => path === 'src/index.ts')
  const namesOf = (typeOnly: boolean): readonly string[] =>
    (index?.exports ?? [])
      .filter((exported) => exported.typeOnly === typeOnly)
      .map(({ name }) => name)
      .toSorted()

  it('that are values are these', () => {
    expect(namesOf(false)).toEqual([
      'CallboardError',
      'DEFAULT_LIMITS',
      'POLICIES',
      'PRIORITIES',
      'READY_FILTERS',
      'Run',
      'Runtime',
      'SCOPES',
      'createRuntime',
      'createVolatileStore',
      'defineContext',
      'drop',
      'entry',
      'entryToJson',
      'estimateTokens',
      'exportLedger',
      'importLedger',
      'inferPriority',
      'inferScope',
      'isCallboardError',
      'patch',
      'put',
      'randomIds',
      'redactSecrets',
      'replayRun',
      'systemClock',
    ])
  })

  it('that are types are these', () => {
    expect(namesOf(true)).toEqual([
      'Accepted',
      'AgentContext',
      'AgentLogic',
      'AgentOptions',
      'AgentStatus',
      'AskOptions',
      'Author',
      'Batch',
      'BoardLimits',
      'CatalogueOptions',
      'Change',
      'Changes',
      'ChangesOptions',
      'Clock',
      'CloseOptions',
      'Compact',
      'Compaction',
      'ComparedSide',
      'ComparedSides',
      'Comparison',
      'Conflict',
      'ConflictsOptions',
      'ContextDefinition',
      'Decision',
      'DefinitionOrigin',
      'DeliveryRecord',
      'EndedRules',
      'Entry',
      'EntryAddress',
      'EntryDefinition',
      'EntryDifference',
      'EntryInfo',
      'EntryOptions',
      'Episode',
      'EpisodeOptions',
      'ErrorDetails',
      'EvictedEntry',
      'EvictionNote',
      'EvictionReason',
      'EvictionRecord',
      'Explanation',
      'ExportOptions',
      'ForkOptions',
      'GlobalsMark',
      'Grants',
      'HousekeepingOptions',
      'Ids',
      'ImportOptions',
      'Labels',
      'LedgerRecord',
      'LimitName',
      'Lineage',
      'ListedConflict',
      'LiveView',
      'LogLine',
      'LogOperation',
      'LogOptions',
      'MachineState',
      'MergeInput',
      'MergeResult',
      'MergeableType',
      'Migrate',
      'MigratedEntry',
      'MigratedRunState',
      'MigrationInput',
      'Moment',
      'Notification',
      'NotificationHandler',
      'NumberDelta',
      'OpenRequest',
      'OutsideOptions',
      'PathConflict',
      'Point',
      'Policy',
      'PolicyName',
      'Priority',
      'Producer',
      'Progress',
      'PruneRules',
      'PutOptions',
      'RecordKind',
      'Recovered',
      'Refusal',
      'RefusalReason',
      'RenderOptions',
      'RenderPlanLine',
      'RenderedView',
      'ReplayDifference',
      'ReplayOptions',
      'ReplayReport',
      'RestoreOptions',
      'Restored',
      'RetentionOptions',
      'RoomLimits',
      'RunExport',
      'RunFilter',
      'RunSummary',
      'RuntimeOptions',
      'RuntimeTopics',
      'Scope',
      'SnapshotInfo',
      'SnapshotOptions',
      'StartOptions',
      'StepContext',
      'StepOptions',
      'Store',
      'StoreTraits',
      'StoredRunState',
      'SubscribeOptions',
      'SurroundedWork',
      'Surrounding',
      'TakenOf',
      'UpdateOptions',
      'UpdateResult',
      'ValuesOf',
      'View',
      'ViewFilter',
      'WaitExplanation',
      'WaitForGraph',
      'WaitForNode',
      'WaitOptions',
      'Workflow',
      'WorkflowInput',
      'WorkflowLimits',
      'WorkflowOptions',
      'WorkflowOutput',
      'WorkflowStructure',
      'WorkflowTaken',
      'WorkflowValues',
    ])
  })
})

describe('the checker itself finds', () => {
  const module = (path: string, text: string): Module => readModule({ path, text })

  it.each([
    ['a value from a higher rank', `import { Run } from '../runtime/index.ts'`, 'imports values from runtime'],
    ['a value from the same rank', `import { f } from '../ledger/index.ts'`, 'imports values from ledger'],
    ['one value among types', `import { type A, b } from '../runtime/index.ts'`, 'imports values from runtime'],
    ['a value passed on', `export { Run } from '../runtime/index.ts'`, 'imports values from runtime'],
    ['a dynamic import', `export const f = () => import('../runtime/index.ts')`, 'imports values from runtime'],
    ['an import for its effect', `import '../runtime/index.ts'`, 'imports values from runtime'],
    ['a way in beside the index', `import { now } from '../base/clock.ts'`, 'enters base through src/base/clock.ts'],
    ['the index of everything', `import { f } from '../index.ts'`, 'nothing in src imports its index'],
    ['a way out of src', `import { f } from '../../test/x.ts'`, 'outside of src'],
  ])('%s', (_what, text, sentence) => {
    const breaks = breaksOfRank([module('src/waits/a.ts', text)], RANKS)
    expect(breaks).toHaveLength(1)
    expect(breaks[0]).toContain(sentence)
  })

  it('no break where there is none', () => {
    const fine = [
      `import type { Run } from '../runtime/index.ts'`,
      `import { type Run, type Core } from '../runtime/index.ts'`,
      `export type { Run } from '../runtime/index.ts'`,
      `import { a } from './b.ts'`,
      `import { a } from '../base/index.ts'`,
      `import { z } from 'zod'`,
    ]
    expect(
      breaksOfRank(
        fine.map((text) => module('src/waits/a.ts', text)),
        RANKS,
      ),
    ).toEqual([])
    expect(breaksOfRank([module('src/index.ts', `export { cli } from './cli/index.ts'`)], RANKS)).toEqual([])
  })

  it('a folder without a rank', () => {
    expect(breaksOfRank([module('src/extras/a.ts', '')], RANKS)).toEqual([
      'src/extras/a.ts: folder extras has no rank; give it one',
    ])
  })

  it('a backend opened from below, or by another backend', () => {
    const opens = `import { openSqlite } from '../store/sqlite/index.ts'`
    expect(breaksOfLeaves([module('src/runtime/a.ts', opens)], ['cli'])).toHaveLength(1)
    expect(breaksOfLeaves([module('src/cli/a.ts', opens)], ['cli'])).toEqual([])
    const borrows = `import { f } from '../sqlite/f.ts'`
    expect(breaksOfLeaves([module('src/store/redis/a.ts', borrows)], ['cli'])).toHaveLength(1)
  })

  it('a package away from home, one without a home, and leaves types alone', () => {
    const check = (path: string, text: string): readonly string[] => breaksOfHomes([module(path, text)], HOMES)
    expect(check('src/context/a.ts', `import { createActor } from 'xstate'`)).toHaveLength(1)
    expect(check('src/context/a.ts', `import type { Actor } from 'xstate'`)).toEqual([])
    expect(check('src/runtime/a.ts', `import { createActor } from 'xstate'`)).toEqual([])
    expect(check('src/base/b.ts', `import mitt from 'mitt'`)).toHaveLength(1)
    expect(check('src/base/a.ts', `import pad from 'left-pad/deep'`)).toEqual([
      'src/base/a.ts imports left-pad, which has no home; give it one',
    ])
    expect(check('src/server/a.ts', `import { serve } from '@hono/node-server/conninfo'`)).toEqual([])
  })

  it.each([
    ['Date.now', `export const at = Date.now()`],
    ['Date.now', `const { now } = { now: Date.now }; now()`],
    ['Date.now', `Date['now']()`],
    ['new Date()', `export const at = new Date()`],
    ['Math.random', `export const n = Math.random()`],
    ['setTimeout', `setTimeout(() => {}, 5)`],
    ['setTimeout', `export const clock = { setTimeout }`],
    ['setTimeout', `export const clock = { set: setTimeout }`],
    ['globalThis.setTimeout', `globalThis.setTimeout(() => {}, 5)`],
    ['console', `console.log('x')`],
    ['performance.now', `performance.now()`],
    ['node:timers/promises', `import { setTimeout as sleep } from 'node:timers/promises'; void sleep`],
  ])('the world reached for: %s in %s', (what, text) => {
    expect(breaksOfWorld([module('src/waits/a.ts', text)], WORLD)).toContain(`src/waits/a.ts uses ${what}`)
  })

  it('nothing in what only looks like it', () => {
    const harmless = `
      export interface Clock { setTimeout(fn: () => void, ms: number): unknown; readonly console: string }
      export const f = (clock: Clock) => clock.setTimeout(() => {}, 5)
      export const at = new Date(0)
      export const clock = { setTimeout: 5, now: 3 }
      export class C { setTimeout(): void {} }
      // Date.now() and console.log in a comment
      export const text = 'setTimeout'
    `
    expect(breaksOfWorld([module('src/waits/a.ts', harmless)], WORLD)).toEqual([])
    expect(breaksOfWorld([module('src/base/clock.ts', `export const now = () => Date.now()`)], WORLD)).toEqual([])
  })

  it('forms that are not used here', () => {
    for (const text of [
      `export * from './a.ts'`,
      `export * as a from './a.ts'`,
      `export default 5`,
      `export enum A { B }`,
    ])
      expect(breaksOfForm([module('src/base/a.ts', text)])).toHaveLength(1)
    expect(breaksOfForm([module('src/base/a.ts', `export const a = 'export * from x'`)])).toEqual([])
  })

  it('files that have grown too long', () => {
    const long = module('src/base/a.ts', 'export {}\n'.repeat(401))
    expect(breaksOfLength([long], LONGEST, {})).toEqual([
      'src/base/a.ts has 401 lines; look for the second noun, or say why it is clearer whole',
    ])
    expect(breaksOfLength([long], LONGEST, { 'src/base/a.ts': 'a table' })).toEqual([])
    expect(breaksOfLength([module('src/base/a.ts', 'export {}\n'.repeat(400))], LONGEST, {})).toEqual([])
  })

  it('machines and examples that go behind the public entries', () => {
    const check = (path: string, text: string): readonly string[] => breaksOfUsers([module(path, text)])
    expect(check('examples/a.ts', `import { Board } from '../src/context/index.ts'`)).toHaveLength(1)
    expect(check('machines/evolution/a.ts', `import type { Board } from '../../src/context/board.ts'`)).toHaveLength(1)
    expect(check('examples/a.ts', `import { evolution } from '../machines/evolution/index.ts'`)).toHaveLength(1)
    expect(check('machines/evolution.ts', `import { a } from './evolution/index.ts'\nimport 'callboard/cli'`)).toEqual(
      [],
    )
  })

  it('a text that is no program', () => {
    expect(() => module('src/base/a.ts', 'export const = 5')).toThrow('src/base/a.ts cannot be parsed')
  })
})
