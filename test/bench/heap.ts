// Question: what room do runs take in the heap, at work and at rest?
// Baseline for a run at work: a bare XState actor of a machine of two states. Runs have no entries here. Each part is
// measured in a process of its own, after all garbage was collected; how much the process holds is what the system says.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bytesLine } from './report.ts'
import type { Question, Table } from './report.ts'

/** Bytes of heap for one run of each kind. */
export interface HeapFigures {
  readonly waiting: number
  readonly timed: number
  readonly asking: number
  readonly actor: number
  readonly activeRuns: number
  readonly startedRuns: number
  readonly residentBytes: number
}

const AT_WORK = 2_000
/** Of each of three kinds, behind 6,000 others of that kind. */
const AT_REST = 28_000
const KIB = 1_024
const MIB = KIB * KIB
/** Megabytes to which V8 keeps its heap; without a limit it leaves garbage where it is as long as there is room. */
const HEAP_LIMIT = 256

export const heapQuestion: Question = {
  name: 'heap',
  async answer(): Promise<readonly Table[]> {
    const active = measureIn('active', AT_WORK)
    const rest = measureIn('rest', AT_REST)
    const resting = rest.startedRuns - rest.activeRuns
    return [
      {
        title: 'The heap of a run at work',
        operation: 'the heap that one more run takes, without entries',
        figure: 'heap',
        lines: [
          bytesLine('bare XState actor', active.actor),
          bytesLine('a run that waits for events', active.waiting, { mostBytes: 6 * KIB }),
          bytesLine('a run with a delayed transition', active.timed, { mostBytes: 6 * KIB }),
          bytesLine('a run with an agent that waits for a person', active.asking),
        ],
        notMeasured: 'entries, views, ledgers of the volatile store, what agents hold.',
      },
      {
        title: `The heap of ${resting.toLocaleString('en')} runs at rest in one SQLite file`,
        operation: 'the heap that one more run takes when it has gone to rest',
        figure: 'memory',
        lines: [
          bytesLine('a run that waits for events', rest.waiting, { mostBytes: KIB / 2 }),
          bytesLine('a run with a delayed transition', rest.timed, { mostBytes: KIB / 2 }),
          bytesLine('a run with an agent that waits for a person', rest.asking, { mostBytes: KIB / 2 }),
          bytesLine(`the whole process, with ${rest.activeRuns.toLocaleString('en')} at work`, rest.residentBytes, {
            mostBytes: 512 * MIB,
          }),
        ],
        notMeasured: `runs that somebody holds while they rest, which take what runs at work do. V8's heap is limited to ${HEAP_LIMIT} MB.`,
      },
    ]
  },
}

function measureIn(mode: 'active' | 'rest', runs: number): HeapFigures {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-heap-'))
  try {
    const program = fileURLToPath(new URL('heap.child.ts', import.meta.url))
    const limit = mode === 'rest' ? [`--max-old-space-size=${HEAP_LIMIT}`] : []
    const args = [...limit, program, mode, join(folder, 'runs.db'), String(runs)]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${args.join(' ')} failed:\n${stderr}`)
    return JSON.parse(stdout) as HeapFigures
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
