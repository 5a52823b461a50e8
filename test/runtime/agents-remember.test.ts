import { createRuntime, defineContext, entry, isCallboardError } from 'callboard'
import type { Runtime, RuntimeOptions } from 'callboard'
import { createMemory } from 'callboard/memory'
import type { MemorySource } from 'callboard/memory'
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'

const board = defineContext({ answer: entry(z.string()), copy: entry(z.boolean()) })

const learner = board.agent({
  writes: ['answer'],
  async run({ memory, update }) {
    const { hasRelevantExperience, memoryInsights = [] } = await memory.viewWithMemory({}, 'answer the question')
    await update({ answer: hasRelevantExperience ? `as before: ${memoryInsights[0]?.content}` : 'by trying' })
    await memory.learnFrom({ task: 'answer the question', outcome: 'success', summary: 'forty-two' })
  },
})
const copier = board.agent({
  writes: ['copy'],
  async run(context) {
    await context.update({ copy: Object.keys({ ...context }).includes('memory') })
  },
})
const asker = board.agent({
  writes: ['answer'],
  async run(context) {
    try {
      await context.memory.recall('anything')
    } catch (error) {
      await context.update({ answer: isCallboardError(error) ? error.code : String(error) })
    }
  },
})

const work = board.workflow({ agents: { learner, copier } }).createMachine({
  id: 'work',
  initial: 'learning',
  states: {
    learning: { invoke: { src: 'learner', id: 'the-learner', onDone: 'copying' } },
    copying: { invoke: { src: 'copier', onDone: 'over' } },
    over: { type: 'final' },
  },
})
const asking = board.workflow({ agents: { asker, copier } }).createMachine({
  id: 'asking',
  initial: 'asking',
  states: {
    asking: { invoke: { src: 'asker', onDone: 'copying' } },
    copying: { invoke: { src: 'copier', onDone: 'over' } },
    over: { type: 'final' },
  },
})

async function start(options: RuntimeOptions): Promise<Runtime> {
  const runtime = await createRuntime(options)
  onTestFinished(() => runtime.close())
  return runtime
}

it('an agent remembers in one run what its type learnt in another', async () => {
  const memory = await createMemory()
  const runtime = await start({ memory })
  const first = await runtime.start(work)
  await first.done
  expect(first.get('answer')).toBe('by trying')
  const second = await runtime.start(work)
  await second.done
  expect(second.get('answer')).toBe('as before: Task: answer the question Outcome: success. Result: forty-two')
  const items = await memory.for({ runId: 'look', agent: 'learner' }).list()
  expect(items.map(({ provenance }) => [provenance.runId, provenance.agent])).toEqual([
    [first.id, 'learner'],
    [second.id, 'learner'],
  ])
  expect(second.get('copy')).toBe(true)
  expect(await memory.for({ runId: 'look', agent: 'the-learner' }).list()).toEqual([])
})

it('remembers for the user or project that the runtime, or the run’s labels, say', async () => {
  const memory = await createMemory()
  const runtime = await start({ memory: memory.within({ project: 'shop' }) })
  const noting = board.agent({
    run: ({ memory: own }) => own.rememberConcept({ name: 'VAT', definition: 'a tax' }, { scope: 'project' }),
  })
  const note = board.workflow({ agents: { noting } }).createMachine({
    id: 'note',
    initial: 'noting',
    states: { noting: { invoke: { src: 'noting', onDone: 'over' } }, over: { type: 'final' } },
  })
  await (
    await runtime.start(note)
  ).done
  expect(await memory.for({ runId: 'look', project: 'shop' }).list()).toHaveLength(1)
  expect(await memory.for({ runId: 'look' }).list()).toEqual([])

  const byLabel: MemorySource = {
    forAgent: ({ runId, type, labels }) => memory.for({ runId, agent: type, user: labels?.['user'] }),
  }
  const forUsers = await start({ memory: byLabel })
  const likes = board.agent({
    run: ({ memory: own }) => own.rememberConcept({ name: 'drink', definition: 'tea' }, { scope: 'user' }),
  })
  const liking = board.workflow({ agents: { likes } }).createMachine({
    id: 'liking',
    initial: 'liking',
    states: { liking: { invoke: { src: 'likes', onDone: 'over' } }, over: { type: 'final' } },
  })
  await (
    await forUsers.start(liking, { labels: { user: 'ada' } })
  ).done
  expect(await memory.for({ runId: 'look', user: 'ada' }).list()).toHaveLength(1)
  expect(await memory.for({ runId: 'look', user: 'bob' }).list()).toEqual([])
})

it('an agent that asks for its memory where there is none is told what is missing, and no other agent suffers', async () => {
  const runtime = await start({})
  const run = await runtime.start(asking)
  await run.done
  expect(run.get('answer')).toBe('agent.no-memory')
  expect(run.get('copy')).toBe(false)
})
