// What nobody polite sends: refused with its place, or stored exactly; the server goes on.
import { connect } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { openServer } from 'callboard/server'
import { createHouse, createServerWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
async function begin(options: Parameters<typeof createServerWorld>[0] = {}): Promise<World> {
  world = await createServerWorld(options)
  await world.ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
  return world
}

afterEach(async () => {
  const { status } = await world.ask('GET', '/health')
  if (status !== 200) throw new Error(`the server does not go on: ${status}`)
})

describe('a request', () => {
  it('refuses what is too large, too deep or too much before it looks at it', async () => {
    const { ask } = await begin({ limits: { bodyBytes: 200_000, bodyParts: 1_000 } })
    const put = (body: string): ReturnType<World['ask']> => ask('PUT', '/api/runs/r1/entries/any.a', { body })
    const deep = `{"value":${'['.repeat(10_000)}${']'.repeat(10_000)}}`
    const deepObjects = `{"value":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`
    const many = `{"value":[${'1,'.repeat(2_000)}1]}`
    const large = `{"value":"${'x'.repeat(200_000)}"}`
    for (const body of [deep, deepObjects, many, large]) {
      const { status, body: said } = await put(body)
      expect([status, said.code]).toEqual([413, 'server.too-large'])
    }
    expect((await ask('GET', '/api/runs/r1/entries/any.a')).status).toBe(404)
    // As deep as a value may be is not too deep for a request.
    const fine = `${'['.repeat(60)}${']'.repeat(60)}`
    expect((await put(`{"value":${fine}}`)).status).toBe(200)
    const tooDeepForAValue = await put(`{"value":${'['.repeat(68)}${']'.repeat(68)}}`)
    expect([tooDeepForAValue.status, tooDeepForAValue.body.reason]).toEqual([422, 'value'])
  })

  it('stores prototype keys exactly, on updates, sessions and merges', async () => {
    const { ask } = await begin()
    const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"hasOwnProperty":1}'
    await ask('PUT', '/api/runs/r1/entries/any.a', { body: `{"value":${text}}` })
    await ask('PATCH', '/api/runs/r1/entries/any.a', { body: '{"value":{"__proto__":{"more":2}}}' })
    const { body } = await ask('GET', '/api/runs/r1/entries/any.a')
    expect(JSON.stringify(body.value)).toBe(text.replace('"polluted":1}', '"polluted":1,"more":2}'))
    await ask('PATCH', '/api/sessions/ann', { body: `{"part":${text}}` })
    expect((await ask('GET', '/api/sessions/ann')).body.data).toEqual(JSON.parse(text))
    for (const key of ['__proto__', 'constructor', 'toString']) {
      const refused = await ask('POST', '/api/runs/r1/updates', { body: `{"set":{"${key}":1}}` })
      expect([refused.status, refused.body.reason], key).toEqual([422, 'unknown-key'])
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it.each([
    ['a lone surrogate', '"\\ud800"', 422],
    ['a lone surrogate in a key', '{"\\udfff":1}', 422],
    ['a null byte', '"a\\u0000b"', 200],
    ['a huge number', '1e400', 422],
    ['a very exact number', '0.1234567890123456789', 200],
    ['a number beyond the safe ones', '9007199254740993', 200],
    ['line ends', '"a\\r\\nSet-Cookie: x=1"', 200],
    ['a tag that is none', '{"$type":"Function","value":"process.exit()"}', 422],
    ['a tag with something else in it', '{"$type":"bigint","value":"five"}', 422],
    ['a tag with a list that is none', '{"$type":"Map","value":5}', 422],
    ['a date that is none', '{"$type":"Date","value":"yesterday"}', 422],
    ['an emoji', '"🙂"', 200],
  ])('with %s as a value is refused or kept', async (_what, text, expected) => {
    const { ask } = await begin()
    const { status } = await ask('PUT', '/api/runs/r1/entries/any.a', { body: `{"value":${text}}` })
    expect(status).toBe(expected)
    const { status: found, body } = await ask('GET', '/api/runs/r1/entries/any.a')
    expect(found).toBe(expected === 200 ? 200 : 404)
    if (expected === 200) expect(body.value).toEqual(JSON.parse(text))
  })

  it.each([
    '../../etc/passwd',
    '..%2f..%2fx',
    'a\u0000b',
    'a\r\nx: y',
    'x'.repeat(2_000),
    'global:default',
    '%ZZ',
    '.',
    '%',
    '🙂',
  ])('with the id %j finds nothing and makes nothing', async (id) => {
    const { ask, runtime } = await begin()
    const path = encodeURIComponent(id)
    expect([404, 422]).toContain((await ask('GET', `/api/runs/${path}`)).status)
    expect([404, 422]).toContain((await ask('GET', `/runs/${path}`)).status)
    expect((await ask('PUT', `/api/runs/${path}/entries/any.a`, { body: { value: 1 } })).status).toBe(404)
    const started = await ask('POST', '/runs', { body: { objective: 'a', run_id: id } })
    expect(started.status).toBe(422)
    expect((await runtime.list()).map(({ runId }) => runId)).toEqual(['r1'])
  })

  it('with bytes that are no UTF-8, or a body that is no JSON, is told so', async () => {
    const { app } = await begin()
    for (const body of [new Uint8Array([0x22, 0xff, 0xfe, 0x22]), '{"a":', 'null', '', '\uFEFF{}x']) {
      const response = await app.hono.request('http://localhost/api/runs', { method: 'POST', body })
      expect(response.status).toBe(422)
      expect(((await response.json()) as { detail: unknown[] }).detail).toHaveLength(1)
    }
  })

  it('with a key that is too long or odd is refused as a whole', async () => {
    const { ask } = await begin()
    const long = 'x'.repeat(1_025)
    const refused = await ask('POST', '/api/runs/r1/updates', { body: { set: { 'any.a': 1, [`any.${long}`]: 2 } } })
    expect(refused.status).toBe(422)
    expect((await ask('GET', '/api/runs/r1/entries/any.a')).status).toBe(404)
    const idempotency = await ask('PUT', '/api/runs/r1/entries/any.a', {
      body: { value: 1 },
      headers: { 'idempotency-key': 'k'.repeat(256) },
    })
    expect(idempotency.status).toBe(422)
  })
})

describe('a connection', () => {
  /** Sends bytes and gives everything that comes back. */
  function talk(port: number, text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(text))
      let answer = ''
      socket.setEncoding('latin1')
      socket.on('data', (chunk: string) => (answer += chunk))
      socket.on('close', () => resolve(answer))
      socket.on('error', reject)
    })
  }

  it('that sends nonsense or too many headers is closed; others go on', async () => {
    const house = await createHouse()
    const server = await openServer({ ...house, port: 0, limits: { headerBytes: 8_192 } })
    onTestFinished(async () => {
      await server.close()
      await house.runtime.close()
    })
    await begin()
    expect(await talk(server.port, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    const large = `GET /health HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(10_000)}\r\n\r\n`
    expect(await talk(server.port, large)).toMatch(/^HTTP\/1\.1 431 /)
    const smuggled =
      'POST /runs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'
    expect(await talk(server.port, smuggled)).toMatch(/^HTTP\/1\.1 400 /)
    const refused = await fetch(`${server.url}/api/runs`, { method: 'POST', body: 'x'.repeat(3_000_000) })
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([413, 'server.too-large'])
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
  })
})
