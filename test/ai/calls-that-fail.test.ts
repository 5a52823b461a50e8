// What providers say no with, and what becomes of a request that nobody waits for any more.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { inspect } from 'node:util'
import { z } from 'zod'
import { isCallboardError, defineContext, entry } from 'callboard'
import { loadModel, modelAgent } from 'callboard/ai'
import { withoutSecrets } from '../../src/ai/call-error.ts'
import { createWorld, refusalOf, together } from '../runtime/world.ts'
import { openAiServer } from './openai-server.ts'
import { scriptedModel } from './world.ts'

const board = defineContext({
  question: entry(z.string(), { default: 'the-question-of-the-prompt' }),
  stop: entry(z.boolean()),
})

const KEY = 'a-key-of-no-known-look'

/** A server that answers every request with this status and text. */
async function refusingServer(status: number, message: string): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message } }))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
}

describe('a provider that says no', () => {
  it('is a typed error with status and words; no key, no secret of an address and no prompt is in it or in the ledger', async () => {
    const said = `the key ${KEY} and sk-abcdefghijklmnopqrstuvwx are wrong, see https://me:pw@help.example/keys?token=t-1#x`
    const model = await loadModel(`${await refusingServer(401, said)}#local`, { apiKey: KEY })
    const asker = modelAgent(board, { instructions: 'Ask.', reads: ['question'], model })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { asker }))

    const error = await refusalOf(run.done)

    expect(error).toMatchObject({ code: 'step.failed', details: { attempts: 1 } })
    expect(error.cause).toMatchObject({
      code: 'ai.call',
      details: { model: 'local', status: 401, isPassing: false },
      message: expect.stringMatching(
        /^the model "local" could not be called \(status 401\): the key \[redacted/,
      ) as string,
    })
    expect(error.message).toContain('see https://help.example/keys')
    const everything = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(await run.ledger())
    for (const secret of [KEY, 'sk-abc', 'me:pw', 't-1', 'the-question-of-the-prompt']) {
      // The question is an entry of the run; what is asked of the model is not in the ledger.
      const where = secret.startsWith('the-question') ? inspect(error, { depth: 20 }) : everything
      expect(where).not.toContain(secret)
    }
  })

  it('whose server is not there is one, too, and is asked again', async () => {
    const model = await loadModel('http://127.0.0.1:1/v1#local')
    const asker = modelAgent(board, { instructions: 'Ask.', reads: ['question'], model, retries: 0 })
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { asker }))

    const { cause } = await refusalOf(run.done)

    expect(isCallboardError(cause, 'ai.call')).toBe(true)
    expect(cause).toMatchObject({ details: { isPassing: true, status: undefined } })
  })

  it('in the middle of its answer, by closing the connection, is asked again', async () => {
    let requests = 0
    const server = createServer((_request, response) => {
      requests += 1
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'local' }
      const choice = (content: string, finish_reason: string | null): string =>
        `data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, delta: { content }, finish_reason }] })}\n\n`
      response.write(choice('half', null), () => {
        if (requests === 1) response.destroy()
        else response.end(`${choice('whole', 'stop')}data: [DONE]\n\n`)
      })
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const model = await loadModel(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1#local`)
    const asker = modelAgent(board, { instructions: 'Ask.', reads: ['question'], model })
    const { runtime, clock } = await createWorld()
    const failed = new Promise<void>((resolve) =>
      runtime.on('record', ({ record }) => (JSON.stringify(record.asked).includes('"failed"') ? resolve() : undefined)),
    )
    const run = await runtime.start(together(board, { asker }))
    await failed
    await clock.advance(1_000)
    await run.done

    expect(requests).toBe(2)
  })

  it.each([
    ['an error', new Error('on fire'), 'on fire'],
    ['a text', 'overloaded', 'overloaded'],
    ['an object', { message: 'overloaded', type: 'server_error' }, 'overloaded'],
    ['nothing', undefined, 'no reason was given'],
  ])('with %s is told in its words', async (_what, thrown, words) => {
    const model = scriptedModel(() => Promise.reject(thrown as Error))
    const asker = modelAgent(board, { instructions: 'Ask.', reads: ['question'], model })
    const { runtime } = await createWorld()
    const error = await refusalOf((await runtime.start(together(board, { asker }))).done)
    expect(error.message).toContain(`the model "scripted" could not be called: ${words}`)
  })
})

describe('a request under way', () => {
  const asking = async (): Promise<{
    readonly left: Promise<void>
    readonly hangs: Promise<void>
    readonly world: Awaited<ReturnType<typeof createWorld>>
    readonly asker: ReturnType<typeof modelAgent>
  }> => {
    const { url, hangs, left } = await openAiServer({ endless: ['so far'] })
    const model = await loadModel(`${url}#local`)
    const asker = modelAgent(board, { instructions: 'Ask.', reads: ['question'], model, timeoutMs: 60_000, retries: 0 })
    return { left, hangs: hangs(), world: await createWorld(), asker }
  }

  it('is ended at the provider when its run is stopped', async () => {
    const { left, hangs, world, asker } = await asking()
    const run = await world.runtime.start(together(board, { asker }))
    await hangs
    await run.stop()
    await left
    expect(await refusalOf(run.done)).toMatchObject({ code: 'run.stopped' })
  })

  it('is ended at the provider when its agent’s state is left', async () => {
    const { left, hangs, world, asker } = await asking()
    const workflow = board.workflow({ agents: { asker } }).createMachine({
      initial: 'asking',
      states: { asking: { invoke: { src: 'asker' }, on: { enough: 'off' } }, off: { type: 'final' } },
    })
    const run = await world.runtime.start(workflow)
    await hangs
    await run.send({ type: 'enough' })
    await left
    await run.done
  })

  it('is ended at the provider when it takes too long', async () => {
    const { left, hangs, world, asker } = await asking()
    const run = await world.runtime.start(together(board, { asker }))
    await hangs
    await world.clock.advance(60_000)
    await left
    expect(await refusalOf(run.done)).toMatchObject({ code: 'step.failed', cause: { code: 'step.timeout' } })
  })

  it('is ended at the provider when the runtime closes', async () => {
    const { left, hangs, world, asker } = await asking()
    await world.runtime.start(together(board, { asker }))
    await hangs
    await world.runtime.close()
    await left
  })
})

describe('a text of a provider', () => {
  it.each([
    ['a Bearer abcdefghijklmnopqrst in it', '[redacted: sensitive]'],
    ['see http://h/p?k=1#f or  nothing', 'see http://h/p or  nothing'],
    ['fetch http://u:p@h:8/v1/x failed', 'fetch http://h:8/v1/x failed'],
    ['max_tokens is 5', 'max_tokens is 5'],
  ])('%j is told as %j', (text, told) => {
    expect(withoutSecrets(text)).toBe(told)
  })
})
