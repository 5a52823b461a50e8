// Two agents change the same place at the same time. A policy decides, the ledger keeps all three sides, and a person
// decides again.
//   npx node examples/conflict.ts
import { createRuntime, defineContext, entry } from 'callboard'
import type { Policy } from 'callboard'
import { z } from 'zod'

const Release = z.object({ version: z.string(), date: z.string(), notes: z.array(z.string()) })

/** The higher version wins; every other field is merged, and what both changed is a conflict to be shown. */
const higherVersion: Policy = ({ base, current, update, concurrent }) => {
  const [was, theirs, mine] = [base, current, update] as [
    z.infer<typeof Release> | undefined,
    ...z.infer<typeof Release>[],
  ]
  if (theirs === undefined || mine === undefined) return { kind: 'refuse', reason: 'there is nothing to compare' }
  const isConflict = concurrent && was?.date !== theirs.date && was?.date !== mine.date && theirs.date !== mine.date
  return {
    kind: 'accept',
    value: {
      version: theirs.version > mine.version ? theirs.version : mine.version,
      date: mine.date,
      notes: [...new Set([...theirs.notes, ...mine.notes])],
    },
    conflicts: isConflict ? [{ path: ['date'], base: was?.date, theirs: theirs.date, mine: mine.date }] : [],
  }
}

const board = defineContext(
  {
    release: entry(Release, { merge: 'higherVersion', default: { version: '1.0', date: '1 May', notes: [] } }),
    'release.approved': entry(z.boolean()),
  },
  { policies: { higherVersion } },
)

/** Reads the release, then changes it: both have read version 1 before either writes. */
const editor = (change: z.infer<typeof Release>) =>
  board.agent({
    reads: ['release'],
    writes: ['release'],
    async run({ view, update }) {
      view.getOrThrow('release')
      await update({ release: change })
    },
  })

const developer = editor({ version: '1.1', date: '8 May', notes: ['faster'] })
const marketing = editor({ version: '1.0', date: '15 May', notes: ['prettier'] })

const releasing = board
  .workflow({
    agents: { developer, marketing, approver: board.person('release.approved', { question: 'Release it like this?' }) },
    guards: { isApproved: board.when('release.approved', (approved) => approved) },
  })
  .createMachine({
    id: 'releasing',
    initial: 'editing',
    states: {
      editing: {
        type: 'parallel',
        states: {
          developer: {
            initial: 'at work',
            states: { 'at work': { invoke: { src: 'developer', onDone: 'done' } }, done: { type: 'final' } },
          },
          marketing: {
            initial: 'at work',
            states: { 'at work': { invoke: { src: 'marketing', onDone: 'done' } }, done: { type: 'final' } },
          },
        },
        onDone: 'approving',
      },
      approving: {
        invoke: { src: 'approver', onDone: [{ guard: 'isApproved', target: 'released' }, { target: 'withdrawn' }] },
      },
      released: { type: 'final' },
      withdrawn: { type: 'final' },
    },
  })

const runtime = await createRuntime()
const run = await runtime.start(releasing)

// From here on we are the person outside. The run asks; nothing times out while we think.
const asked = Promise.withResolvers<string>()
const tell = () => run.requests().forEach(({ id }) => asked.resolve(id))
runtime.on('request', tell)
tell()
const requestId = await asked.promise
console.log(`asked: ${run.requests()[0]?.question}`)
console.log(`release is ${JSON.stringify(run.get('release'))}`)

const [conflict] = await run.conflicts()
if (conflict === undefined) throw new Error('two editors changed one date, but there is no conflict')
const { key, path, base, theirs, mine, policy, author, against } = conflict
console.log(
  `conflict in ${key} at ${path.join('.')}: ${base} became ${theirs} (${against}) and ${mine} (${author}); ${policy} took ${mine}`,
)

await run.resolveConflict(conflict.id, { value: { ...run.get('release'), date: '12 May' } }, { by: 'Ada' })
console.log(`Ada decided: ${JSON.stringify(run.get('release'))}, version ${run.entry('release')?.version}`)

await run.answer(requestId, true, { by: 'Ada' })
await run.done
console.log(`the run is ${JSON.stringify(run.state)}`)
await runtime.close()
