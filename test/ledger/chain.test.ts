import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSealer, ledgerToJsonl, linkHash, readJsonl, sealRecords, verifyChain } from '../../src/ledger/index.ts'
import type { SealedRecord } from '../../src/ledger/index.ts'
import { oddValue, sampleRecord } from '../../src/testing/sample-records.ts'
import { recordOf } from './arbitrary.ts'

const RUNS = Number(process.env['CALLBOARD_PROPERTY_RUNS'] ?? 200)
const KEY = new Uint8Array(32).fill(9)
const LENGTH = 12
const records = Array.from({ length: LENGTH }, (_, index) => sampleRecord('run', index + 1))

it('hashes with HMAC-SHA-256 as everybody does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.string({ unit: 'binary' }), (key, text) => {
      const reference = createHmac('sha256', key).update(text).digest('base64url')
      expect(createSealer(key)(text)).toBe(reference)
    }),
    { numRuns: RUNS },
  )
})

describe.each([
  ['SHA-256', undefined],
  ['HMAC-SHA-256', KEY],
])('a chain of %s', (_name, key) => {
  const sealer = createSealer(key)
  const sealed = sealRecords(records, { sealer })
  const { seq, hash } = sealed.at(-1) as SealedRecord
  const head = { seq, hash }
  const check = (changed: readonly SealedRecord[]) => verifyChain(changed, { sealer, head })

  it('holds as it was made, from the beginning and from any record', () => {
    expect(check(sealed)).toBeUndefined()
    for (let from = 1; from < LENGTH; from++) {
      const after = sealed[from - 1] as SealedRecord
      expect(verifyChain(sealed.slice(from), { sealer, after, head })).toBeUndefined()
      expect(sealRecords(records.slice(from), { sealer, after })).toEqual(sealed.slice(from))
    }
  })

  it('tells the first record that was changed, in whatever part', () => {
    const changes: readonly Partial<SealedRecord>[] = [
      { body: '[]' },
      { at: 1 },
      { kind: 'end' },
      { runId: 'other' },
      { hash: 'x' },
    ]
    for (const change of changes) {
      for (const index of [0, 5, LENGTH - 1]) {
        const changed = sealed.with(index, { ...(sealed[index] as SealedRecord), ...change })
        expect(check(changed)).toMatchObject({ seq: index + 1, what: 'changed' })
      }
    }
  })

  it('tells a missing record, a lost tail, and an inserted one', () => {
    expect(check(sealed.toSpliced(4, 1))).toMatchObject({ seq: 5, what: 'missing' })
    expect(check(sealed.slice(1))).toMatchObject({ seq: 1, what: 'missing' })
    expect(check(sealed.slice(0, -3))).toMatchObject({ seq: LENGTH - 2, what: 'lost-tail' })
    expect(check([])).toMatchObject({ seq: 1, what: 'lost-tail' })
    expect(check(sealed.toSpliced(4, 0, sealed[3] as SealedRecord))).toMatchObject({ seq: 4, what: 'inserted' })
    const body = '["writer",{}]'
    const added = { ...(sealed.at(-1) as SealedRecord), seq: LENGTH + 1, body }
    const extra = { ...added, hash: linkHash(sealer, hash, added, body) }
    expect(check([...sealed, extra])).toMatchObject({ seq: LENGTH + 1, what: 'inserted' })
  })

  it('tells records that changed places, with their numbers or without', () => {
    const [a, b] = [sealed[4] as SealedRecord, sealed[5] as SealedRecord]
    expect(check(sealed.toSpliced(4, 2, b, a))).toMatchObject({ seq: 5, what: 'swapped' })
    expect(check(sealed.toSpliced(4, 2, { ...b, seq: a.seq }, { ...a, seq: b.seq }))).toMatchObject({
      seq: 5,
      what: 'swapped',
    })
  })
})

it('with a key, a ledger that was rewritten as a whole without it is not believed', () => {
  const forged = sealRecords(records.with(3, sampleRecord('run', 4, { value: 'forged' })))
  expect(verifyChain(forged)).toBeUndefined()
  expect(verifyChain(forged, { sealer: createSealer(KEY) })).toMatchObject({ seq: 1, what: 'changed' })
})

it('every change of one character of a sealed record is noticed', () => {
  const sealed = sealRecords(records)
  fc.assert(
    fc.property(fc.nat(LENGTH - 1), fc.nat(), fc.integer({ min: 1, max: 127 }), (index, at, mask) => {
      const record = sealed[index] as SealedRecord
      const place = at % record.body.length
      const changed = String.fromCharCode(record.body.charCodeAt(place) ^ mask)
      const body = record.body.slice(0, place) + changed + record.body.slice(place + 1)
      expect(verifyChain(sealed.with(index, { ...record, body }))).toMatchObject({ seq: index + 1 })
    }),
    { numRuns: RUNS },
  )
})

describe('a ledger as JSONL', () => {
  const odd = Array.from({ length: 5 }, (_, index) => sampleRecord('run', index + 1, { value: oddValue() }))

  it('comes back exactly, and gives the same bytes again', () => {
    const ledger = fc.tuple(...[1, 2, 3].map((seq) => recordOf('run "\u0000\n', seq)))
    fc.assert(
      fc.property(ledger, fc.constantFrom(undefined, KEY), (made, key) => {
        const text = ledgerToJsonl('run "\u0000\n', made, { key })
        const { records: back, problem, tornCharacters } = readJsonl(text, { key })
        expect({ problem, tornCharacters }).toEqual({ problem: undefined, tornCharacters: 0 })
        assert.deepStrictEqual(back, made)
        expect(ledgerToJsonl('run "\u0000\n', back, { key })).toBe(text)
      }),
      { numRuns: RUNS / 4 },
    )
  })

  it('is one line a record behind a header that says what it is', () => {
    const lines = ledgerToJsonl('run', odd).trimEnd().split('\n')
    expect(lines).toHaveLength(6)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ callboard: 'ledger', format: 1, runId: 'run', chain: 'sha256' })
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({
      seq: 1,
      author: 'writer',
      changes: [{ kind: 'put', key: 'key.1' }],
    })
  })

  it('is read as far as it goes when its last line is torn, with a report', () => {
    const text = ledgerToJsonl('run', odd)
    for (const cut of [1, 10, 100]) {
      const { records: back, tornCharacters, problem } = readJsonl(text.slice(0, -cut))
      assert.deepStrictEqual(back, odd.slice(0, 4))
      expect(tornCharacters).toBeGreaterThan(0)
      expect(problem).toMatchObject({ seq: 5, what: 'lost-tail' })
    }
  })

  it('gives the records before the first that is wrong, and says what', () => {
    const lines = ledgerToJsonl('run', odd).split('\n')
    const withLine = (index: number, line: string): string => lines.with(index, line).join('\n')
    expect(readJsonl(withLine(3, (lines[3] ?? '').replace('"writer"', '"cheater"')))).toMatchObject({
      records: odd.slice(0, 2),
      problem: { seq: 3, what: 'changed' },
    })
    expect(readJsonl(withLine(3, 'nonsense'))).toMatchObject({ records: odd.slice(0, 2), problem: { seq: 3 } })
    expect(readJsonl(lines.toSpliced(2, 1).join('\n'))).toMatchObject({ problem: { seq: 2, what: 'missing' } })
  })

  it('may be the end of a ledger', () => {
    const [link] = sealRecords(odd.slice(0, 2)).slice(-1)
    const after = { seq: 2, hash: link?.hash ?? '' }
    const { records: back, header, problem } = readJsonl(ledgerToJsonl('run', odd.slice(2), { after }))
    expect(problem).toBeUndefined()
    expect(header.after).toEqual(after)
    assert.deepStrictEqual(back, odd.slice(2))
  })

  it('is refused when it is something else, newer, or needs a key', () => {
    expect(() => readJsonl('')).toThrow(expect.objectContaining({ code: 'ledger.not-jsonl' }))
    expect(() => readJsonl('{"a":1}\n')).toThrow(expect.objectContaining({ code: 'ledger.not-jsonl' }))
    const text = ledgerToJsonl('run', odd)
    expect(() => readJsonl(text.replace('"format":1', '"format":2'))).toThrow(
      expect.objectContaining({ code: 'ledger.newer-format' }),
    )
    expect(() => readJsonl(text, { key: KEY })).toThrow(expect.objectContaining({ code: 'ledger.wrong-key' }))
    expect(() => readJsonl(ledgerToJsonl('run', odd, { key: KEY }))).toThrow(
      expect.objectContaining({ code: 'ledger.wrong-key' }),
    )
  })
})
