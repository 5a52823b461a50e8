import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LedgerEvent, WorkingSet, WorkingSetPatch } from 'callboard/machines/task'
import { jsonSchemaOf, TASK_SCHEMAS, titleOf } from '../../../machines/task/json-schemas.ts'
import { createTaskWorld, patchOf, sliding } from './world.ts'

const FOLDER = new URL('../../../machines/task/schemas/', import.meta.url)

const ajv = new Ajv2020({ strict: true, allErrors: true })
// Its types are those of a CommonJS module.
;(formats as unknown as { default: (of: Ajv2020) => void } & ((of: Ajv2020) => void))(ajv)
const known = new Map<string, (value: unknown) => boolean>()

/** Whether a published file, and not the code, admits a value. */
function admits(file: string, value: unknown): boolean {
  const validate = known.get(file) ?? (ajv.compile(readSchema(file)) as (value: unknown) => boolean)
  known.set(file, validate)
  return validate(value)
}

function readSchema(file: string): Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Record<string, unknown>
}

const isWorkingSet = (value: unknown): boolean => admits('working_set.v2.1.schema.json', value)
const isPatch = (value: unknown): boolean => admits('working_set_patch.v2.1.schema.json', value)
const isEvent = (value: unknown): boolean => admits('ledger_event.v2.1.schema.json', value)

describe('the published schemas', () => {
  it.each(Object.entries(TASK_SCHEMAS))('%s is what the code says', (file, schema) => {
    expect(readSchema(file), 'node machines/task/write-schemas.ts writes it anew').toEqual(
      JSON.parse(JSON.stringify(jsonSchemaOf(schema, titleOf(file)))),
    )
  })

  it('are JSON Schema 2020-12, closed, and stand alone', () => {
    for (const file of Object.keys(TASK_SCHEMAS)) {
      const schema = readSchema(file)
      expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema')
      if (file !== 'ledger_event.v2.1.schema.json') expect(schema['additionalProperties']).toBe(false)
    }
    const required = Object.keys(WorkingSet.unwrap().shape)
    expect(required).toHaveLength(16)
    const schema = readSchema('working_set.v2.1.schema.json') as unknown as { readonly required: readonly string[] }
    expect(schema.required.toSorted()).toEqual(required.toSorted())
  })

  it('admit everything that a task is in its life, and every line of its ledger', async () => {
    const { tasks } = await createTaskWorld()
    const ws = await tasks.create({ objective: 'o', acceptance_criteria: ['a'] })
    expect(isWorkingSet(ws)).toBe(true)
    await tasks.patch(ws.run_id, patchOf(0, { status: 'BUSY', sliding_context: [sliding('a', 'b')] }))
    await tasks.patch(ws.run_id, patchOf(0))
    await tasks.patch(ws.run_id, 'no patch')
    await tasks.log(ws.run_id, { event_type: 'TOOL_CALL', payload: { tool: 'ls', call_id: '1', arguments: ['-l'] } })
    await tasks.milestone(ws.run_id, 'first')
    expect(isWorkingSet(await tasks.get(ws.run_id))).toBe(true)
    const lines = (await tasks.ledger(ws.run_id)).trimEnd().split('\n')
    expect(lines).toHaveLength(6)
    for (const line of lines) {
      expect(LedgerEvent.safeParse(JSON.parse(line)).success).toBe(true)
      expect(isEvent(JSON.parse(line)), line).toBe(true)
    }
    expect(isEvent({ ...(JSON.parse(lines[0] ?? '') as object), more: 1 })).toBe(false)
  })

  it('say the same as the code, also of what does not fit', async () => {
    const { tasks } = await createTaskWorld()
    const ws = await tasks.create({ objective: 'o' })
    const odd = fc.oneof(
      fc.constantFrom<unknown>(undefined, null, '', 'BUSY', '2.1', 0, -1, 1.5, 10, [], {}, [''], [{}], [1]),
      fc
        .record(
          { id: fc.constantFrom('', 'a', 1), content: fc.constantFrom('', 'b'), more: fc.constant(1) },
          {
            requiredKeys: ['id'],
          },
        )
        .map((item) => [item]),
      fc
        .record({
          id: fc.constant('a'),
          content: fc.constant('b'),
          priority: fc.constantFrom(0, 9, 10, -1, 0.5),
          timestamp: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01T00:00:00.5+02:00', '2026-01-01', 'yesterday'),
        })
        .map((item) => [item]),
      fc
        .record({
          type: fc.constant('t'),
          id: fc.constant('i'),
          sha256: fc.constantFrom('a'.repeat(64), 'G'.repeat(64)),
        })
        .map((item) => [item]),
    )
    const fields = Object.keys(WorkingSet.unwrap().shape)
    const agreed = { yes: 0, no: 0 }
    fc.assert(
      fc.property(fc.constantFrom(...fields, 'another'), odd, (field, value) => {
        const changed = { ...ws, [field]: value }
        if (value === undefined) delete (changed as Record<string, unknown>)[field]
        const patch = { _schema_version: '2.1', expected_seq: 0, set: value === undefined ? {} : { [field]: value } }
        const fits = WorkingSet.safeParse(changed).success
        expect(isWorkingSet(changed), JSON.stringify({ field, value })).toBe(fits)
        expect(isPatch(patch), JSON.stringify(patch)).toBe(WorkingSetPatch.safeParse(patch).success)
        agreed[fits ? 'yes' : 'no'] += 1
      }),
      { numRuns: 500, seed: Number(process.env['CALLBOARD_SEED'] ?? 20_260_101) },
    )
    expect(agreed.yes).toBeGreaterThan(20)
    expect(agreed.no).toBeGreaterThan(20)
  })
})
