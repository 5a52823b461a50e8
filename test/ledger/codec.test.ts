import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admitValue } from '../../src/base/index.ts'
import type { Board, Cell } from '../../src/context/index.ts'
import { Catalogue } from '../../src/context/index.ts'
import {
  decodeRecord,
  decodeValue,
  emptyState,
  encodeRecord,
  encodeValue,
  foldRecords,
  lineToRecord,
  packCell,
  recordToLine,
  unpackCell,
} from '../../src/ledger/index.ts'
import { oddValue, sampleRecord } from '../../src/testing/sample-records.ts'
import { plainData, someRecord } from './arbitrary.ts'

const RUNS = Number(process.env['CALLBOARD_PROPERTY_RUNS'] ?? 400)

/** The order of keys in every part, which `toStrictEqual` does not look at. */
function keyOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (value instanceof Map) return [...value].map(([key, item]) => [keyOrder(key), keyOrder(item)])
  if (value instanceof Set || Array.isArray(value)) return [...value].map(keyOrder)
  return Object.entries(value).map(([key, item]) => [key, keyOrder(item)])
}

function isFrozenThrough(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Date || ArrayBuffer.isView(value)) return true
  if (value instanceof Map) return [...value].flat().every(isFrozenThrough)
  if (value instanceof Set) return [...value].every(isFrozenThrough)
  return Object.isFrozen(value) && Object.values(value).every(isFrozenThrough)
}

describe('a value', () => {
  it('comes back exactly, frozen, with its keys in order', () => {
    fc.assert(
      fc.property(plainData, (data) => {
        const { value } = admitValue(data)
        const back = decodeValue(encodeValue(value))
        assert.deepStrictEqual(back, value)
        expect(keyOrder(back)).toEqual(keyOrder(value))
        expect(isFrozenThrough(back)).toBe(true)
      }),
      { numRuns: RUNS },
    )
  })

  it('that looks like a tag is not taken for one', () => {
    for (const value of [
      { $type: 'Date', value: 'x' },
      { $type: 'update' },
      { $type: { $type: 'entry' } },
      oddValue(),
    ]) {
      assert.deepStrictEqual(decodeValue(encodeValue(value)), value)
    }
  })
})

describe('a record', () => {
  it('comes back exactly, frozen, and is the same text again', () => {
    fc.assert(
      fc.property(someRecord, (record) => {
        const text = encodeRecord(record)
        const back = decodeRecord(record, text)
        assert.deepStrictEqual(back, record)
        expect(keyOrder(back.changes.map(({ cell }) => cell.entry.value))).toEqual(
          keyOrder(record.changes.map(({ cell }) => cell.entry.value)),
        )
        expect(isFrozenThrough(back)).toBe(true)
        expect(encodeRecord(back)).toBe(text)
      }),
      { numRuns: RUNS },
    )
  })

  it('comes back exactly from its line, and is the same line and text again', () => {
    fc.assert(
      fc.property(someRecord, (record) => {
        const line = recordToLine(record, 'hash')
        expect(line).not.toContain('\n')
        const back = lineToRecord(line)
        expect(back.hash).toBe('hash')
        assert.deepStrictEqual(back.record, record)
        expect(recordToLine(back.record, 'hash')).toBe(line)
        expect(encodeRecord(back.record)).toBe(encodeRecord(record))
      }),
      { numRuns: RUNS },
    )
  })

  it('holds a value that was asked for and came of it once', () => {
    const value = { long: 'x'.repeat(1_000) }
    const record = sampleRecord('run', 1, { value })
    expect(encodeRecord(record).length).toBeLessThan(1_200)
    const back = decodeRecord(record, encodeRecord(record))
    assert.deepStrictEqual(back, record)
  })

  it('that is no record is told apart, by its place', () => {
    for (const text of ['', '[', 'null', '["a"]', '["a",0,[[]]]', '{}']) {
      expect(() => decodeRecord(sampleRecord('run', 7), text)).toThrow(
        expect.objectContaining({ code: 'ledger.not-a-record', details: { runId: 'run', seq: 7 } }),
      )
    }
    expect(() => lineToRecord('{"seq":1}')).toThrow(expect.objectContaining({ code: 'ledger.not-a-line' }))
  })

  it('that holds something which is not plain data is refused, by its place', () => {
    const loop: unknown[] = []
    loop.push(loop)
    expect(() => encodeRecord(sampleRecord('run', 3, { record: { asked: { loop } } }))).toThrow(
      expect.objectContaining({ code: 'ledger.not-encodable', details: { runId: 'run', seq: 3 } }),
    )
  })
})

describe('an ephemeral entry', () => {
  const SECRET = 'only-for-now'
  const record = sampleRecord('run', 1, {
    key: 'note',
    value: SECRET,
    entry: { ephemeral: true, version: 4 },
    record: {
      asked: { update: 'u', changes: [] },
      conflicts: [
        {
          id: 'c',
          key: 'note',
          address: { scope: 'workflow', holder: undefined, key: 'note' },
          path: [],
          policy: 'smart',
          author: 'a',
          against: 'b',
          version: 4,
          base: SECRET,
          theirs: SECRET,
          mine: SECRET,
          result: SECRET,
        },
      ],
    },
  })

  it('leaves no value in text or line, not even in a conflict about it', () => {
    expect(encodeRecord(record)).not.toContain(SECRET)
    expect(recordToLine(record, '')).not.toContain(SECRET)
    expect(encodeRecord(decodeRecord(record, encodeRecord(record)))).toBe(encodeRecord(record))
  })

  it('is absent after folding, and its versions go on counting', () => {
    const back = decodeRecord(record, encodeRecord(record))
    const { board } = foldRecords(emptyState(new Catalogue({}), 'run'), [back])
    expect(board.has('note')).toBe(false)
    const cell = board.cell({ scope: 'workflow', holder: undefined, key: 'note' })
    expect([cell?.live, cell?.entry.version, cell?.entry.ephemeral]).toEqual([false, 4, true])
  })
})

it('gives the same board from decoded records as from the records themselves', () => {
  const records = Array.from({ length: 50 }, (_, index) => sampleRecord('run', index + 1, { value: oddValue() }))
  const catalogue = new Catalogue({})
  const cellsOf = (board: Board): readonly Cell[] =>
    [...board.cells()].sort((a, b) => (a.entry.key < b.entry.key ? -1 : 1))
  const live = foldRecords(emptyState(catalogue, 'run'), records)
  const stored = foldRecords(
    emptyState(catalogue, 'run'),
    records.map((record) => decodeRecord(record, encodeRecord(record))),
  )
  assert.deepStrictEqual(cellsOf(stored.board), cellsOf(live.board))
  expect([stored.seq, stored.at]).toEqual([live.seq, live.at])
})

it('packs a cell on its own, as snapshots keep them', () => {
  fc.assert(
    fc.property(someRecord, ({ changes }) => {
      for (const { cell } of changes) {
        const packed = decodeValue(encodeValue(packCell(cell))) as ReturnType<typeof packCell>
        assert.deepStrictEqual(unpackCell(packed), cell)
      }
    }),
    { numRuns: RUNS / 4 },
  )
})
