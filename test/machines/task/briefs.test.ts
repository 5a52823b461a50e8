import { expect, it } from 'vitest'
import { contextBrief } from 'callboard/machines/task'
import { createTaskWorld, patchOf, sliding } from './world.ts'

it('is a text with every section, empty ones saying so', async () => {
  const { tasks } = await createTaskWorld()
  const ws = await tasks.create({ objective: 'write it down' })
  expect(contextBrief({ ...ws, objective: '' })).toBe(`# CONTEXT BRIEF

## 1. OBJECTIVE
(unset)

## 2. ACCEPTANCE CRITERIA
- (none)

## 3. CONSTRAINTS & BUDGETS
- (none)

## 4. PINNED CONTEXT
- (none)

## 5. RECENT / SLIDING CONTEXT
- (none)

## 6. RETRIEVED LONG-TERM MEMORY
- (none)

## 7. STATUS
- status: BOOT
- stage: BOOT
- next_action: 
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
      pinned_context: [{ id: 'p1', content: 'the reader knows nothing', source_ref: 'survey' }],
      sliding_context: [sliding('s1', 'the first draft was long', 7)],
      blockers: ['no coffee', 'no paper'],
    }),
  )
  const text = await tasks.brief(run_id, [
    { content: 'short sentences', confidence: 0.8, memory_id: 'mem_1' },
    { content: 'long sentences', confidence: 0.799 },
  ])
  for (const line of [
    '## 1. OBJECTIVE\nwrite it down\n',
    '- it is short\n',
    '- the reader knows nothing (id=p1) source=survey\n',
    '- the first draft was long (pri=7 ts=2026-01-01T00:00:00Z)\n',
    '- short sentences (memory_id=mem_1 conf=0.80)\n',
    '- status: BUSY\n',
    '- blockers:\n  - no coffee\n  - no paper\n',
  ]) {
    expect(text).toContain(line)
  }
  expect(text).not.toContain('long sentences')
})
