// The OpenAPI document against the recommended rules of a linter, warnings counted as errors.
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { createRuntime } from 'callboard'
import { createApp } from 'callboard/server'
import type { AppOptions } from 'callboard/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { evolution, evolutions } from '../../machines/evolution.ts'
import { askApp, createHouse } from './world.ts'

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
