// Values and records as fast-check makes them: everything that may be admitted.
import fc from 'fast-check'
import { admitValue } from '../../src/base/index.ts'
import { PRIORITIES, SCOPES } from '../../src/context/index.ts'
import type { CellChange, Conflict, Entry, Refusal } from '../../src/context/index.ts'
import { RECORD_KINDS } from '../../src/ledger/index.ts'
import type { LedgerRecord, MachineState } from '../../src/ledger/index.ts'

const text = fc.string({ unit: 'binary', maxLength: 12 })
const fieldName = fc.oneof(
  text,
  fc.constantFrom('__proto__', 'constructor', '$type', 'toString', '1', '0', '', 'value', 'hasOwnProperty'),
)
const instant = fc.oneof(fc.integer({ min: 0, max: 4e12 }), fc.double({ min: 0, max: 4e12, noNaN: true }))
const finite = fc.double({ noNaN: true, noDefaultInfinity: true })

/** Objects like those of literals; fast-check makes some without a prototype. */
function recordOfFields<Model extends object>(model: {
  [Key in keyof Model]: fc.Arbitrary<Model[Key]>
}): fc.Arbitrary<Model> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<Model>
}

function record(part: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.array(fc.tuple(fieldName, fc.oneof(part, fc.constant(undefined))), { maxLength: 5 }).map((fields) => {
    const object: Record<string, unknown> = {}
    for (const [name, value] of fields)
      Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
    return object
  })
}

/** What `admitValue` takes. */
export const plainData: fc.Arbitrary<unknown> = fc.letrec((tie) => {
  const part = tie('part')
  return {
    part: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      text,
      finite,
      fc.integer(),
      fc.constantFrom<unknown>(-0, 0, null, true, false),
      fc.bigInt(),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array({ maxLength: 5 }),
      fc.float64Array({ maxLength: 3, noNaN: true }),
      fc.bigInt64Array({ maxLength: 2 }),
      fc.array(part, { maxLength: 4 }),
      fc.array(fc.tuple(part, part), { maxLength: 3 }).map((items) => new Map(items)),
      fc.array(part, { maxLength: 3 }).map((items) => new Set(items)),
      record(part),
    ),
  }
}).part

const author = fc.constantFrom('planner', 'workflow', 'outside', 'writer\u0000', '')

const entry: fc.Arbitrary<{ entry: Entry; exotic: boolean; size: number }> = recordOfFields({
  key: fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }),
  data: plainData,
  scope: fc.constantFrom(...SCOPES),
  holder: fc.option(text, { nil: undefined }),
  owner: author,
  updatedBy: author,
  priority: fc.constantFrom(...PRIORITIES),
  version: fc.integer({ min: 1, max: 1e6 }),
  createdAt: instant,
  updatedAt: instant,
  expiresAt: fc.option(instant, { nil: undefined }),
  dependsOn: fc.array(text, { maxLength: 3 }),
  metadata: fc.oneof(
    recordOfFields({ created_by: author }),
    recordOfFields({ created_by: author, last_updated_by: author }),
    recordOfFields({ last_updated_by: author, created_by: author }),
    fc.dictionary(fc.constantFrom('created_by', 'x', '$type'), plainData, { noNullPrototype: true }),
  ),
  protected: fc.boolean(),
  ephemeral: fc.constant(false),
  sensitive: fc.boolean(),
  pinned: fc.boolean(),
  stale: fc.boolean(),
}).map(({ data, metadata, ...fields }) => {
  const { value, exotic, size } = admitValue(data)
  const kept = admitValue(metadata).value as Entry['metadata']
  return { entry: { ...fields, metadata: kept, value }, exotic, size }
})

const change: fc.Arbitrary<CellChange> = fc
  .tuple(
    entry,
    fc.boolean(),
    fc.constantFrom('put', 'drop', 'expire', 'stale', 'clear'),
    fc.integer({ min: 1, max: 50 }),
    fc.array(recordOfFields({ key: text, version: fc.nat() }), { maxLength: 2 }),
  )
  .map(([{ entry: made, exotic, size }, live, kind, touches, lineage]) => {
    const { scope, holder, key } = made
    const kept: Entry = live ? made : { ...made, value: undefined }
    const cell = { entry: kept, live, exotic: live && exotic, size: live ? size : 0, touches, lineage }
    return { kind, scope, holder, key, cell, previous: undefined } as CellChange
  })

const conflict: fc.Arbitrary<Conflict> = recordOfFields({
  id: text,
  key: text,
  address: recordOfFields({
    scope: fc.constantFrom(...SCOPES),
    holder: fc.option(text, { nil: undefined }),
    key: text,
  }),
  path: fc.array(fc.oneof(text, fc.nat()), { maxLength: 3 }),
  policy: text,
  author,
  against: author,
  version: fc.nat(),
  base: fc.option(plainData, { nil: undefined }),
  theirs: plainData,
  mine: plainData,
  result: fc.option(plainData, { nil: undefined }),
})

const refusal: fc.Arbitrary<Refusal> = recordOfFields({
  kind: fc.constant('refused' as const),
  reason: fc.constantFrom('schema', 'protected', 'concurrent-change'),
  key: fc.option(text, { nil: undefined }),
  author,
  message: text,
  actualVersion: fc.option(fc.nat(), { nil: undefined }),
}).map(({ actualVersion, ...rest }) => (actualVersion === undefined ? rest : { ...rest, actualVersion }) as Refusal)

const machine: fc.Arbitrary<MachineState> = recordOfFields({
  status: fc.constantFrom('active', 'done', 'error', 'stopped'),
  value: plainData,
  persisted: plainData,
  context: fc.dictionary(text, plainData, { noNullPrototype: true }),
  timers: fc.constant([]),
  invocations: fc.nat(),
  output: fc.option(plainData, { nil: undefined }),
  error: fc.option(recordOfFields({ code: text, message: text }), { nil: undefined }),
}) as fc.Arbitrary<MachineState>

/** A record of any kind. */
export function recordOf(runId: string, seq: number): fc.Arbitrary<LedgerRecord> {
  return fc.array(change, { maxLength: 3 }).chain((changes) =>
    recordOfFields({
      at: instant,
      kind: fc.constantFrom(...RECORD_KINDS),
      author,
      asked: plainData,
      conflicts: fc.array(conflict, { maxLength: 2 }),
      refusals: fc.array(refusal, { maxLength: 2 }),
      machine: fc.option(machine, { nil: undefined }),
      globals: fc.option(recordOfFields({ seq: fc.integer({ min: 1 }), at: instant }), { nil: undefined }),
    }).map(({ globals, ...fields }) => ({
      seq,
      runId,
      changes,
      ...fields,
      ...(globals === undefined ? {} : { globals }),
    })),
  )
}

export const someRecord: fc.Arbitrary<LedgerRecord> = recordOf('run', 1)
