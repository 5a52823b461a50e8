import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt, ROOT } from '../support/built-package.ts'

beforeAll(ensureBuilt)

/** By example, what its output must contain, in this order. */
const STORIES: Readonly<Record<string, readonly string[]>> = {
  'first.ts': ['40 pieces at 12.5 (counted today, price list of May)'],
  'phases.ts': [
    'phase: {"research":{"code":"reading","practices":"reading"}}',
    'put research.scratch v3',
    'clear research.scratch v4',
    'put plan.tasks v1',
    'put evaluate.result v2',
    'phase: finished',
    'success after 2 rounds: did: name things well in 3 files; did: test promises in 3 files',
  ],
  'await-dependencies.ts': [
    'both finished: fetch(…) // how does GET /orders page? → GET /orders?page=2',
    'api.example is version 1 by server, made from api.contract and client.question',
    'is deadlocked: stubbornServer waits for "client.question", which stubbornClient would write',
    'circle: stubbornServer → stubbornClient → stubbornServer',
  ],
  'scopes.ts': [
    'coder sees',
    'draft.code (group)',
    'notes.todo (private)',
    'style.language (private) = "TypeScript, strict"',
    'critic sees\n  style.language (workflow) = "TypeScript"\npublisher sees',
    'credentials.registry (group)',
    'in its prompt: [redacted: sensitive]',
    'the run holds 5 entries, in 3 scopes',
  ],
  'conflict.ts': [
    'asked: Release it like this?',
    'release is {"version":"1.1","date":"15 May","notes":["faster","prettier"]}',
    'conflict in release at date: 1 May became 8 May (developer) and 15 May (marketing); higherVersion took 15 May',
    'Ada decided: {"version":"1.1","date":"12 May","notes":["faster","prettier"]}, version 4',
    'the run is "released"',
  ],
  'http-client.ts': [
    '1 outside: question v1',
    'it may not write the article: not-writable',
    'researcher: findings v1',
    'editor: article v1',
    'Why do moths fly to lamps? (26 characters were asked.) They like the light.',
  ],
  'time-travel.ts': [
    '2 Ada: set destination v0 → v1',
    'planner: merge trip v0 → v1',
    'booker: set booking v0 → v1',
    'before the booking: train, booked: nothing',
    'the booker saw trip then',
    'since "undecided": booking added, trip added',
    '(an offer is asked for: by-plane.planner.1/ask for an offer)',
    'by-plane: plane for 140; by-train: train for 90',
    'put back: booking removed (v2), trip removed (v2); kept: 0',
    'the destination is Lisbon, the trip undecided, the machine "booked"',
    'Event counts:\n- start: 1\n- update: 1',
  ],
  'memory.ts': [
    'the first run\nextractor has no experience with it\nextractor found 12.5 and 7 at attempt 3',
    'the second run\nextractor remembers: try td.price first\nextractor found 12.5 and 7 at attempt 1',
    'procedural: Skill extractor_price_extraction: look for td.price',
    'a reporter knows 0 of it',
    'can it be committed? false: item currency is the active one about "currency"; supersede it instead',
    'now: Prices are in dollars',
    'committing again does nothing: true',
    'taken back: Prices are in euro',
  ],
  'durable-context.ts': [
    'refused: the task stays "compare two surveys of the sky"',
    'planning sees north, south and a note: the southern one has gaps',
    'plan: read both, match, compare; the note is gone',
    'control failed: the disk of the telescope is full',
    'opened again: initial_task, matched, plan, session_id, surveys; matched is a Map',
    'after_control {"status":"failed"}',
    'before planning it had initial_task, session_id, surveys',
    'put back: initial_task, session_id, surveys',
  ],
  'recalculation.ts': [
    'Revenue: 1400 EUR v1',
    'financial_calculator: exchange.rates was changed by central_bank, recalculating',
    'cautious_calculator: exchange.rates moved by 0.6%, leaving it',
    'Revenue: 1405 EUR v2',
    'cautious_calculator: exchange.rates moved by 11.1%, recalculating',
    'Revenue: 1300 EUR v3',
    'cautious colleague says 1300, version 2',
    'the rates are still those of central_bank',
  ],
  'evolutions.ts': [
    'evolution atlas: 3 tasks, 2 done\n  documented: 2, planned 5, is 4 (+2)',
    'evolution sextant: 5 tasks, 4 done\n  documented: 2, planned 7, is 6 (+4)',
    'evolution atlas (documentation, done): left undone: document file 3',
    'imported: equal',
  ],
  'sessions.ts': [
    'phone: update_partial {"cart":{"paper":2},"user":{"language":"it"}}',
    'phone has {"cart":{"pen":1,"paper":2},"user":{"language":"it"}}',
    'laptop: merge_sessions',
    'phone: delete_context null',
    'laptop has {"cart":{"pen":4,"ink":1,"paper":2},"user":{"name":"Ann","language":"it"}}',
    'laptop: garbage_collected null',
    '35 minutes later there are visitor',
    'laptop is gone: {}',
  ],
  'working-set.ts': [
    'listener was refused: LOCK_ERROR expected_seq=0 current_seq=1',
    'listener wrote 2, attempt 2',
    'WS_SIZE_ERROR: base_load_tokens=195 exceeds ws_max_tokens=120',
    '# CONTEXT BRIEF',
    '- Ships of more than 200 m come in two hours around high tide. (pri=8 ts=2026-01-01',
    '- visitors ask for opening hours first (conf=0.91)',
    '5 WS_UPDATE_APPLIED by reader (gossip made room)',
  ],
  'model-agent.ts': [
    'critic: calls read_entries',
    'the page says: Five stars!',
    'and is marked as data: true',
    'critic: calls update_entries',
    'refused: you may not write "orders"',
    'the process stops; 2 calls are paid',
    'critic: {"review":{"stars":2',
    'review: {"stars":2,"why":"the page praises itself"}',
    'orders: 10 chairs',
    'calls: 4, of which 2 were made before the stop; 360 tokens',
  ],
  'pack.ts': [
    'on the laptop\n  writing, which takes long and costs money\n  packed letter-1: ledger/callboard/run.jsonl',
    'the same bytes when it is packed again: true',
    'on the server\n  an edited pack is refused: pack.',
    'and leaves 0 runs\n  letter-2 has "Dear Ann, the harbour is mapped."\n  asked: Send it? (letter-2.writer.1/ask approval)',
    'the letter is sent\n  it came out of "the laptop"',
  ],
  'mcp-agent.ts': [
    'the poet sees subject: the sea\n',
    'refused: poet may not write "verdict"',
    '"The sea is blue." is not good: nothing moves in it',
    '"The tide takes my line." is good: it moves',
    'printed: The tide takes my line.\nby poet, version 2',
  ],
  'chart.ts': [
    'stateDiagram-v2',
    'drafting --> reviewing : writer done',
    'reviewing --> published : reviewer done [isGood]',
  ],
}

/** In curl.test.ts. */
const TOLD_ELSEWHERE = ['curl.sh', 'desk.ts']

function run(example: string, args: readonly string[] = []): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join('examples', example), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status, stdout, stderr }
}

describe('examples', () => {
  it('are all told here', () => {
    expect(readdirSync(join(ROOT, 'examples')).sort()).toEqual([...Object.keys(STORIES), ...TOLD_ELSEWHERE].sort())
  })

  it.each(Object.entries(STORIES))('%s runs and says what it shows', (example, lines) => {
    const { status, stdout, stderr } = run(example)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    let from = 0
    for (const line of lines) {
      const at = stdout.indexOf(line, from)
      expect(at, `"${line}" is missing, or comes too early, in:\n${stdout}`).toBeGreaterThanOrEqual(from)
      from = at + line.length
    }
  })

  it('phases.ts: what is ephemeral is gone before the next phase begins', () => {
    expect(run('phases.ts').stdout).toContain('planner: scratch of the last phase is gone')
  })

  it('scopes.ts: the credential is in no text but the publisher’s', () => {
    const [beforePublisher] = run('scopes.ts').stdout.split('publisher sees')
    expect(beforePublisher).not.toContain('credentials')
  })

  it('chart.ts writes a drawing that stands alone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'callboard-chart-'))
    try {
      const file = join(folder, 'chart.svg')
      expect(run('chart.ts', [file])).toMatchObject({ status: 0, stderr: '' })
      expect(readFileSync(file, 'utf8')).toMatch(/^<svg [^]*data-state="reviewing"[^]*<\/svg>\s*$/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('import nothing but the public entries, zod, the AI SDK, what MCP clients use, and Node’s own modules', () => {
    const imports = Object.keys(STORIES).flatMap((example) =>
      [...readFileSync(join(ROOT, 'examples', example), 'utf8').matchAll(/from '([^']+)'/g)].map(([, from]) => from),
    )
    expect(
      imports.filter(
        (from) =>
          !/^(?:callboard(?:\/[a-z]+){0,2}|zod|xstate|ai(?:\/test)?|node:[a-z_/]+|@modelcontextprotocol\/(?:client|node))$/.test(
            from ?? '',
          ),
      ),
    ).toEqual([])
  })
})
