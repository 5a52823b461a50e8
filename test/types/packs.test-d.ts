// Mistakes that are made with packs are compile errors. Only compiled, never run.
import { expectTypeOf } from 'vitest'
import { createVolatileStore } from 'callboard'
import { packRun, readPack, savePack, unpackRun } from 'callboard/pack'
import type { PackForm, PackManifest, Unpacked } from 'callboard/pack'
import { createTasks } from 'callboard/machines/task'
import type { WorkingSet } from 'callboard/machines/task'

const store = createVolatileStore()
const pack = await packRun(store, 'run', { createdAt: 0 })
expectTypeOf(pack.manifest).toEqualTypeOf<PackManifest>()
expectTypeOf(unpackRun(store, pack.bytes)).resolves.toEqualTypeOf<Unpacked>()

// @ts-expect-error: an instant is in milliseconds
await packRun(store, 'run', { createdAt: new Date() })
// @ts-expect-error: a pack is its bytes, the path of its file, or what was read
await unpackRun(store, pack)
// @ts-expect-error: no such limit
await unpackRun(store, pack.bytes, { limits: { maxSize: 1 } })
// @ts-expect-error: the bytes alone have no name
await savePack(pack.bytes, { folder: '.', at: 0 })

const read = await readPack('pack.zip')
// @ts-expect-error: a simple pack has no manifest
expectTypeOf(read.manifest).not.toBeAny()
if (read.kind === 'full') expectTypeOf(read.manifest.pointers.ledger_last_seq).toEqualTypeOf<number>()

const form: PackForm = {
  // @ts-expect-error: files hold text or bytes
  describe: ({ values }) => ({ files: { 'state/count.json': values().size } }),
}
await packRun(store, 'run', { form })

const tasks = await createTasks()
expectTypeOf(tasks.unpack('pack.zip')).resolves.toEqualTypeOf<WorkingSet>()
// @ts-expect-error: there are two kinds
await tasks.pack('run', { kind: 'small' })
