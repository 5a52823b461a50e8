import { Ajv2020 } from 'ajv/dist/2020.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { createRuntime } from 'callboard'
import type { createApp as createSourceApp } from 'callboard/server'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { createServerWorld } from './world.ts'

beforeAll(ensureBuilt)

describe('the OpenAPI document', () => {
  it('is 3.1, names every operation once, and every schema in it is one', async () => {
    const { ask } = await createServerWorld()
    const { status, body } = await ask('GET', '/openapi.json')
    expect(status).toBe(200)
    expect(body.openapi).toBe('3.1.0')
    const operations = Object.values(body.paths as Record<string, Record<string, Record<string, unknown>>>).flatMap(
      (methods) => Object.values(methods),
    )
    const ids = operations.map((operation) => operation['operationId'])
    expect(ids.length).toBeGreaterThan(50)
    expect(new Set(ids).size).toBe(ids.length)
    for (const operation of operations) {
      expect(operation).toMatchObject({ summary: expect.stringMatching(/\S/), tags: [expect.any(String)] })
      expect(Object.keys(operation['responses'] as object).some((code) => code.startsWith('2'))).toBe(true)
    }
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    ajv.addSchema(body, 'document')
    const references = JSON.stringify(body).matchAll(/"#(?<place>\/components\/schemas\/[^"]+)"/g)
    const places = new Set([...references].map(({ groups }) => groups?.['place'] ?? ''))
    expect(places.size).toBeGreaterThan(3)
    for (const place of places) expect(typeof ajv.compile({ $ref: `document#${place}` })).toBe('function')
  })

  it('has every path parameter of every path, and tags that are declared', async () => {
    const { ask } = await createServerWorld()
    const { body } = await ask('GET', '/openapi.json')
    const declared = new Set(body.tags.map(({ name }: { name: string }) => name))
    for (const [path, methods] of Object.entries(body.paths as Record<string, Record<string, never>>)) {
      for (const operation of Object.values(methods) as {
        parameters: { name: string; in: string }[]
        tags: string[]
      }[]) {
        const named = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name)
        expect(operation.parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(named)
        expect(operation.tags.every((tag) => declared.has(tag))).toBe(true)
      }
    }
  })
})

describe('the documentation', () => {
  it('has a page that reads it, without any other server', async () => {
    // The files come with the build.
    const { createApp } = (await import(`${ROOT}dist/server/index.js`)) as {
      readonly createApp: typeof createSourceApp
    }
    const runtime = await createRuntime()
    const app = createApp({ runtime })
    for (const path of ['/docs', '/redoc']) {
      const response = await app.hono.request(`http://localhost${path}`)
      const page = await response.text()
      expect(response.status).toBe(200)
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
      const files = [...page.matchAll(/(?:src|href)="(?<file>[^"]+)"/g)].map(({ groups }) => groups?.['file'] ?? '')
      expect(files).toHaveLength(3)
      for (const file of files) {
        expect(file).toMatch(/^\/docs\//)
        expect((await app.hono.request(`http://localhost${file}`)).status, file).toBe(200)
      }
    }
    app.close()
    await runtime.close()
  })
})
