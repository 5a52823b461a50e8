import { expect, it } from 'vitest'
import { contextBrief } from 'callboard/machines/task'
import { createTaskWorld, patchOf, sliding } from './world.ts'

it('is a text with every section, empty ones saying so', async () => {
  const { tasks } = await createTaskWorld()
  const ws = await tasks.create({ objective: 'write it down' })
  expect(contextBrief({ ...ws, objective: '' })).toBe(`# CONTEXT BRIEF

## OBJECTIVE
(unset)

## ACCEPTANCE CRITERIA
- (none)

## CONSTRAINTS & BUDGETS
- (none)

## PINNED CONTEXT
- (none)

## RECENT / SLIDING CONTEXT
- (none)

## RETRIEVED LONG-TERM MEMORY
- (none)

## STATUS
- status: BOOT
- current_stage: BOOT
- next_action: (none)
- last_action_summary: (none)
- blockers: (none)
`)
})

it('has what the working set has, and memories that are sure enough with two decimals', async () => {
  const { tasks } = await createTaskWorld()
  const { run_id } = await tasks.create({ objective: 'write it down', acceptance_criteria: ['it is short'] })
  await tasks.patch(
    run_id,
    patchOf(0, {
      status: 'BUSY',
      pinned_context: [{ id: 'p1', content: 'the reader knows nothing' }],
      sliding_context: [sliding('s1', 'the first draft was long', 7)],
      blockers: ['no coffee', 'no paper'],
    }),
  )
  const text = await tasks.brief(run_id, [
    { content: 'short sentences', confidence: 0.8, type: 'preference' },
    { content: 'long sentences', confidence: 0.799 },
  ])
  for (const line of [
    '## OBJECTIVE\nwrite it down\n',
    '- it is short\n',
    '- [p1] the reader knows nothing\n',
    '- [s1] (p7) the first draft was long\n',
    '- (preference) (conf 0.80) short sentences\n',
    '- status: BUSY\n',
    '- blockers: no coffee; no paper\n',
  ]) {
    expect(text).toContain(line)
  }
  expect(text).not.toContain('long sentences')
})
