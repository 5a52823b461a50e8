// Evolutions in the paths and bodies of S1, over a real one.
import { createRuntime } from 'callboard'
import { createApp } from 'callboard/server'
import { expect, it, onTestFinished } from 'vitest'
import { evolution, evolutions } from '../../machines/evolution.ts'
import { makeProject } from '../machines/evolution/world.ts'
import { askApp } from './world.ts'

it('shows the current evolution, all of them, one, its comparison and its export, and forgets it', async () => {
  const root = makeProject({ 'src/price.ts': 'export const price = 5\n' })
  const runtime = await createRuntime({ workflows: [evolution] })
  const app = createApp({ runtime, workflows: [evolution], evolutions: evolutions(runtime) })
  onTestFinished(async () => {
    app.close()
    await runtime.close()
  })
  const ask = (method: string, path: string): ReturnType<typeof askApp> => askApp(app, method, `/api/context${path}`)
  expect((await ask('GET', '/list')).body).toEqual({ contexts: [], total: 0 })
  expect((await ask('GET', '/current')).status).toBe(404)
  const run = await runtime.start(evolution, { runId: 'e1', input: { path: root, focus: ['documentation'] } })
  await run.done
  const { body: current } = await ask('GET', '/current')
  expect(current).toMatchObject({
    evolutionId: 'e1',
    focusAreas: ['documentation'],
    originalAnalysis: expect.any(Object),
  })
  expect((await ask('GET', '/details/e1')).body).toEqual(current)
  expect((await ask('GET', '/list')).body).toMatchObject({
    total: 1,
    contexts: [{ evolutionId: 'e1', hasErrors: false }],
  })
  const { body: comparison } = await ask('GET', '/comparison/e1')
  expect(Object.keys(comparison)).toEqual(
    expect.arrayContaining(['before', 'plan', 'after', 'implementation', 'deltas']),
  )
  const exported = await ask('POST', '/export/e1')
  expect(exported.body).toEqual(current)
  expect(exported.headers.get('content-disposition')).toBe('attachment; filename="evolution_e1.json"')
  for (const path of ['/details/none', '/comparison/none']) {
    const missing = await ask('GET', path)
    expect([missing.status, missing.body.detail]).toEqual([404, 'Evolution none not found'])
  }
  expect((await ask('DELETE', '/e1')).body).toEqual({ status: 'deleted', evolution_id: 'e1' })
  expect((await ask('DELETE', '/e1')).body.detail).toBe('Evolution e1 not found')
  expect((await ask('GET', '/list')).body.total).toBe(0)
})
