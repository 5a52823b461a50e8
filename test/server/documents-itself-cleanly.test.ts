// The OpenAPI document against the recommended rules of a linter, warnings counted as errors.
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { createRuntime } from 'callboard'
import { createApp } from 'callboard/server'
import type { AppOptions } from 'callboard/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { evolution, evolutions } from '../../machines/evolution.ts'
import { askApp, createHouse, createServerWorld } from './world.ts'

interface Document {
  readonly paths: Record<string, Record<string, Record<string, unknown>>>
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> }
}

async function documentOf(options: AppOptions): Promise<Document> {
  const app = createApp(options)
  onTestFinished(async () => {
    app.close()
    await options.runtime.close()
  })
  return (await askApp(app, 'GET', '/openapi.json')).body as Document
}

/** Everything that is open with `callboard serve` and workflow modules. */
async function wholeDocument(): Promise<Document> {
  const house = await createHouse()
  return documentOf({
    ...house,
    workflows: [...house.workflows, evolution],
    evolutions: evolutions(house.runtime),
  })
}

async function problemsOf(document: Document): Promise<readonly string[]> {
  const config = await createConfig({
    extends: ['recommended-strict'],
    // What a reader of the documentation needs beyond what is recommended.
    rules: { 'parameter-description': 'error', 'no-invalid-schema-examples': 'error' },
  })
  const problems = await lintFromString({ source: JSON.stringify(document), absoluteRef: 'openapi.json', config })
  return problems.map(({ ruleId, message, location }) => `${ruleId} at ${location[0]?.pointer ?? ''}: ${message}`)
}

describe('the OpenAPI document', () => {
  it('is clean under the recommended rules where there are runs only', async () => {
    const document = await documentOf({ runtime: await createRuntime() })
    expect(Object.keys(document.paths)).not.toContain('/api/sessions')
    expect(await problemsOf(document)).toEqual([])
  })

  it('is clean where every door is open and workflows are loaded', async () => {
    const document = await wholeDocument()
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(['/runs', '/api/sessions', '/api/context/list', '/api/runs/{runId}/memory', '/mcp']),
    )
    expect(await problemsOf(document)).toEqual([])
  })

  it('says what a refusal is like wherever one is named', async () => {
    const document = await wholeDocument()
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { responses }] of Object.entries(methods)) {
        const refusals = Object.entries(responses as Record<string, { readonly content?: object }>).filter(
          ([status]) => Number(status) >= 400,
        )
        expect(refusals.length, `${method} ${path}`).toBeGreaterThan(0)
        for (const [status, { content }] of refusals) expect(content, `${method} ${path} ${status}`).toBeDefined()
      }
    }
  })

  it('names the answers to a request that knows the ETag, and to one from a page of another origin', async () => {
    const world = await createServerWorld()
    const { body } = await world.ask('GET', '/openapi.json')
    await world.ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
    await world.ask('PUT', '/api/runs/r1/entries/notes', { body: { value: ['a'] } })
    await world.ask('POST', '/runs', { body: { objective: 'a', run_id: 't1' } })
    const changes = [{ op: 'add', kind: 'semantic', scope: 'user', text: 'a', rationale: 'b' }]
    const { body: batch } = await world.ask('POST', '/api/runs/r1/memory/batches', { body: { user: 'ada', changes } })
    await world.ask('POST', `/api/runs/r1/memory/batches/${batch.id}/commit`, { body: { user: 'ada' } })
    const { body: listed } = await world.ask('GET', '/api/runs/r1/memory?user=ada')
    const ids: Readonly<Record<string, string>> = {
      runId: 'r1',
      run_id: 't1',
      name: 'desk',
      key: 'notes',
      agent: 'writer',
      point: '1',
      memoryId: listed.items[0].item.id,
    }
    const tagged: string[] = []
    for (const [path, { get }] of Object.entries((body as Document).paths)) {
      // They answer when something happens.
      if (get === undefined || path.endsWith('/stream') || path === '/mcp' || path.includes('/waits/')) continue
      const withIds = path.replaceAll(/\{([^}]+)\}/g, (_whole, name: string) => ids[name] ?? name)
      const asked = path.endsWith('{memoryId}') ? `${withIds}?user=ada` : withIds
      const etag = (await world.ask('GET', asked)).headers.get('etag')
      const documented = Object.keys(get['responses'] as object)
      const elsewhere = await world.ask('GET', asked, { headers: { origin: 'https://elsewhere.example' } })
      expect([elsewhere.status, documented], path).toEqual([403, expect.arrayContaining(['403'])])
      expect(documented.includes('304'), path).toBe(etag !== null)
      if (etag === null) continue
      tagged.push(path)
      expect((await world.ask('GET', asked, { headers: { 'if-none-match': etag } })).status, path).toBe(304)
    }
    expect(tagged).toEqual(expect.arrayContaining(['/api/runs/{runId}/entries', '/api/runs/{runId}/memory/{memoryId}']))
  })

  it('is kept to where a workflow is not there, and by problems outside /api', async () => {
    const world = await createServerWorld()
    const { body } = await world.ask('GET', '/openapi.json')
    const absent = await world.ask('POST', '/api/runs', { body: { workflow: 'nothing' } })
    expect([absent.status, Object.keys(body.paths['/api/runs'].post.responses)]).toEqual([
      404,
      expect.arrayContaining(['404']),
    ])
    const headers = { origin: 'https://elsewhere.example' }
    const typeOf = async (path: string): Promise<string | null> =>
      (await world.ask('GET', path, { headers })).headers.get('content-type')
    for (const path of ['/health', '/openapi.json', '/mcp', '/api/runs'])
      expect(await typeOf(path), path).toBe('application/problem+json')
    // Theirs.
    for (const path of ['/runs/t1', '/nothing']) expect(await typeOf(path), path).toBe('application/json')
  })

  it('would be found out if it were not', async () => {
    const document = await wholeDocument()
    const { '/api/runs': runs, '/api/tokens/{tokenId}': token } = document.paths
    Object.assign(runs?.['get'] ?? {}, { operationId: 'getHealth', security: undefined })
    Object.assign(document.components.schemas['Run'] ?? {}, { type: 'run' })
    Object.assign(token?.['delete'] ?? {}, { parameters: [] })
    const problems = await problemsOf(document)
    for (const rule of ['operation-operationId-unique', 'security-defined', 'struct', 'path-parameters-defined'])
      expect(problems).toContainEqual(expect.stringMatching(new RegExp(`^${rule} at `)))
  })
})
