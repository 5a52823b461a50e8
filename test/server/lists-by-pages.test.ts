// Every list comes in pages under opaque cursors: all of it, once, in order, whatever the size of a page.
import { describe, expect, it } from 'vitest'
import { createServerWorld } from './world.ts'
import type { World } from './world.ts'

async function filled(): Promise<World> {
  const world = await createServerWorld()
  const { ask } = world
  for (const id of ['r1', 'r2', 'r3']) await ask('POST', '/api/runs', { body: { workflow: 'desk', runId: id } })
  await ask('POST', '/api/runs/r1/updates', { body: { set: { 'any.a': 1, 'any.b': 1, 'any.c': 1 } } })
  for (const n of [1, 2, 3]) {
    await world.clock.advance(1)
    await ask('PUT', '/api/runs/r1/entries/any.a', { body: { value: n } })
    await ask('POST', '/api/runs/r1/episodes', { body: { name: `episode ${n}` } })
    await ask('PATCH', `/api/sessions/s${n}`, { body: { part: {} } })
    const changes = [{ op: 'add', kind: 'semantic', scope: 'user', text: `fact ${n}`, rationale: 'said' }]
    const batch = await ask('POST', '/api/runs/r1/memory/batches', { body: { user: 'ada', changes } })
    await ask('POST', `/api/runs/r1/memory/batches/${batch.body.id}/commit`, { body: { user: 'ada' } })
  }
  return world
}

const LISTS: readonly (readonly [path: string, size: string, least: number])[] = [
  ['/api/workflows?', 'limit', 1],
  ['/api/runs?', 'limit', 3],
  ['/api/sessions?', 'limit', 3],
  ['/api/tokens?', 'limit', 4],
  ['/api/audit?', 'limit', 10],
  ['/api/runs/r1/entries?', 'limit', 3],
  ['/api/runs/r1/changes?', 'limit', 5],
  ['/api/runs/r1/ledger?', 'limit', 5],
  ['/api/runs/r1/log?afterSeq=0&', 'limit', 6],
  ['/api/runs/r1/log?afterSeq=0&key=any.a&', 'limit', 4],
  ['/api/runs/r1/diff?from=1&to=5&', 'limit', 3],
  ['/api/runs/r1/episodes?', 'limit', 3],
  ['/api/runs/r1/snapshots?', 'limit', 3],
  ['/api/runs/r1/memory?user=ada&', 'topK', 3],
  ['/api/runs/r1/conflicts?', 'limit', 0],
  ['/api/runs/r1/evictions?', 'limit', 0],
  ['/api/runs/r1/requests?', 'limit', 0],
]

/** Those whose places are numbers: what is none does not begin at the first of them. */
const NUMBERED = /audit|changes|ledger|log/

describe('a list', () => {
  it('gives by ones and twos what it gives at once, whichever list it is', async () => {
    const world = await filled()
    const token = world.token('admin')
    for (const name of ['a', 'b', 'c']) world.token('reader', { name })
    const document = (await world.ask('GET', '/openapi.json')).body
    for (const [path, { get }] of Object.entries<Record<string, { parameters: { name: string }[]; responses: object }>>(
      document.paths,
    )) {
      if (get === undefined || !JSON.stringify(get.responses).includes('"items":{"type":"array"')) continue
      // AoS's own search has a body of its own.
      if (path.startsWith('/runs/')) continue
      expect(
        get.parameters.map(({ name }) => name),
        path,
      ).toContain('cursor')
      const isTried = LISTS.some(([tried]) => tried.replace('r1', '{runId}').startsWith(`${path}?`))
      expect(isTried, `${path} is tried`).toBe(true)
    }
    const first = (await world.ask('GET', '/api/runs?limit=1', { token })).body.next as string
    for (const [path, size, least] of LISTS) {
      const whole = await world.ask('GET', `${path}${size}=1000`, { token })
      expect([whole.status, whole.body.next], path).toEqual([200, null])
      expect(whole.body.items.length, path).toBeGreaterThanOrEqual(least)
      for (const limit of [1, 2]) {
        const items: unknown[] = []
        for (let cursor = ''; ;) {
          const page = await world.ask('GET', `${path}${size}=${limit}${cursor}`, { token })
          expect(page.status, path).toBe(200)
          items.push(...page.body.items)
          if (page.body.next === null) break
          expect(page.body.items, path).toHaveLength(limit)
          cursor = `&cursor=${encodeURIComponent(page.body.next)}`
        }
        expect(items, `${path} by ${limit}`).toEqual(whole.body.items)
      }
      const forged = await world.ask('GET', `${path}cursor=${Buffer.from('{"a":1}').toString('base64url')}`, { token })
      expect([200, 422], `${path} with a forged cursor`).toContain(forged.status)
      expect((await world.ask('GET', `${path}cursor=%21`, { token })).body.code, path).toBe('server.invalid')
      // Of a question to memory, all that is found comes at once.
      const asked = path.includes('/memory') ? `${path}q=fact&cursor=${first}` : `${path}cursor=${first}`
      if (NUMBERED.test(path) || path.includes('/memory')) {
        expect((await world.ask('GET', asked, { token })).body.code, `${path} with another's cursor`).toBe(
          'server.invalid',
        )
      }
    }
  })
})
