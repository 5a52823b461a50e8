// Records for trying a store: well-formed, and as odd as values may be.
import type { CellChange, Entry } from '../context/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Batch, RunSummary, StoredSnapshot } from '../store/index.ts'

const STARTED_AT = Date.UTC(2026, 0, 1)

/** What a sample record is about. */
export interface SampleOptions {
  readonly value?: unknown
  readonly key?: string
  readonly entry?: Partial<Entry>
  readonly record?: Partial<LedgerRecord>
}

/** The record of an accepted update of one entry. */
export function sampleRecord(runId: string, seq: number, options: SampleOptions = {}): LedgerRecord {
  const { value = { n: seq }, key = `key.${seq % 10}` } = options
  const at = STARTED_AT + seq
  const entry: Entry = {
    key,
    value,
    scope: 'workflow',
    holder: undefined,
    owner: 'writer',
    updatedBy: 'writer',
    priority: 'medium',
    version: Math.floor(seq / 10) + 1,
    createdAt: STARTED_AT,
    updatedAt: at,
    expiresAt: undefined,
    dependsOn: [],
    metadata: { created_by: 'writer' },
    protected: false,
    ephemeral: false,
    sensitive: false,
    pinned: false,
    stale: false,
    ...options.entry,
  }
  const { scope, holder } = entry
  const cell = { entry, live: true, exotic: isExotic(value), size: 16, touches: entry.version, lineage: [] }
  const change: CellChange = { kind: 'put', scope, holder, key, cell, previous: undefined }
  return {
    seq,
    runId,
    at,
    kind: seq === 1 ? 'start' : 'update',
    author: 'writer',
    asked: { update: `u${seq}`, changes: [entry.version - 1] },
    changes: [change],
    conflicts: [],
    refusals: [],
    machine: undefined,
    ...options.record,
  }
}

export function sampleSummary(runId: string, seq: number, summary: Partial<RunSummary> = {}): RunSummary {
  return {
    runId,
    workflow: 'sample',
    version: '1',
    status: 'active',
    seq,
    createdAt: STARTED_AT,
    updatedAt: STARTED_AT + seq,
    parent: undefined,
    ...summary,
  }
}

/** The records `fromSeq` to `toSeq` of a run. */
export function sampleBatch(
  runId: string,
  fromSeq: number,
  toSeq: number = fromSeq,
  options: SampleOptions & { readonly summary?: Partial<RunSummary> } = {},
): Batch {
  const records = Array.from({ length: toSeq - fromSeq + 1 }, (_, index) =>
    sampleRecord(runId, fromSeq + index, options),
  )
  return { runId, expectedSeq: fromSeq - 1, records, summary: sampleSummary(runId, toSeq, options.summary) }
}

export function sampleSnapshot(runId: string, seq: number, id = `at-${seq}`, state: unknown = { seq }): StoredSnapshot {
  return { runId, seq, id, reason: 'regular', at: STARTED_AT + seq, metadata: { taken: id }, state }
}

/** Everything a value may hold, in places where it gets lost easily. */
export function oddValue(): unknown {
  return {
    nothing: undefined,
    none: null,
    negativeZero: -0,
    zero: 0,
    tiny: Number.MIN_VALUE,
    huge: Number.MAX_VALUE,
    big: 2n ** 80n,
    negativeBig: -1n,
    when: new Date('2026-02-28T12:34:56.789Z'),
    ancient: new Date(-8.64e15),
    map: new Map<unknown, unknown>([
      ['b', 1],
      ['a', new Map([[{ key: 'object' }, new Set([1n])]])],
      [-0, undefined],
    ]),
    set: new Set([3, 1, 2, 'x', null]),
    bytes: Uint8Array.of(0, 255, 128),
    floats: Float64Array.of(-0, 1.5, Number.MAX_VALUE),
    wide: BigInt64Array.of(-1n, 2n ** 62n),
    $type: 'Date',
    nested: { $type: 'undefined', value: '2026-01-01', $ref: { $type: { $type: 'entry' } } },
    ['__proto__']: { ['__proto__']: 'own', constructor: 'own' },
    constructor: 'own',
    toString: 'own',
    'key with "quotes"\n\u0000 and NUL': '\u0000\u2028\u2029\ud83d\ude00',
    '2': 'second',
    '1': 'first',
    '': 'empty key',
    list: [[], {}, [null, [-0, 1n]], ''],
  }
}

function isExotic(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof Date || value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) return true
  return Object.values(value).some(isExotic)
}
