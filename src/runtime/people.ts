// People: how an agent asks someone outside, and how the answer becomes an entry or an event.
import { CallboardError } from '../base/index.ts'
import { put } from '../context/index.ts'
import type { AskOptions, PersonTarget } from '../workflow/index.ts'
import type { AgentProcess } from './agent-process.ts'
import { jsonSchemaOf } from './requests.ts'
import type { OpenRequest } from './requests.ts'
import type { RunCore } from './run-core.ts'
import type { RequestLine } from './run-notes.ts'

/** Asks a person and waits for the answer. `askKey` names the question within the invocation. */
export async function askPerson(
  core: RunCore,
  process: AgentProcess,
  askKey: string,
  target: PersonTarget,
  { question, timeoutMs = Number.POSITIVE_INFINITY }: AskOptions,
): Promise<unknown> {
  const { clock, requests } = core
  const known = core.journal.get(process.invocation, askKey)
  if (known.finished) return known.result
  const id = `${process.invocation}/${askKey}`
  const before = core.notes.requests.get(id)
  if (before === undefined) {
    const limit = timeoutMs === Number.POSITIVE_INFINITY ? {} : { timeoutMs }
    await core.record('request', process.id, { id, target, question, ...limit })
    process.assertRunning()
  }
  const askedAt = before?.askedAt ?? clock.now()
  const request = openRequest(core, {
    id,
    agent: process.id,
    target,
    askedAt,
    ...(question === undefined ? {} : { question }),
  })
  const answer = requests.open(request)
  core.announceRequest(request, before === undefined)
  if (timeoutMs === Number.POSITIVE_INFINITY) return answer
  const deadline = core.deadlines.add(askedAt + timeoutMs, () => requests.expire(id, timeoutError(request, timeoutMs)))
  return answer.finally(() => deadline.cancel())
}

/** Opens the questions that were open before a restart. */
export function reopenRequests(core: RunCore): void {
  for (const line of core.notes.requests.values()) core.requests.reopen(openRequest(core, line))
}

function openRequest(core: RunCore, { id, agent, target, question, askedAt }: RequestLine): OpenRequest {
  const schema = 'key' in target ? core.catalogue.find(target.key)?.schema : core.definition.events?.[target.event]
  return Object.freeze({ id, runId: core.runId, agent, target, question, askedAt, schema: jsonSchemaOf(schema) })
}

function timeoutError({ runId, agent, id, question }: OpenRequest, timeoutMs: number): CallboardError {
  const about = question === undefined ? '' : ` (${question})`
  return new CallboardError(
    'request.timeout',
    `run ${runId}: nobody answered ${agent} within ${timeoutMs} ms${about}; raise timeoutMs, or handle its absence`,
    { runId, agent, id },
  )
}

/** Answers an open request in somebody's name. */
export function answerRequest(core: RunCore, id: string, value: unknown, by: string): Promise<void> {
  return core.requests.answer(id, (request) =>
    'event' in request.target
      ? answerWithEvent(core, request, request.target.event, value)
      : answerWithEntry(core, request, request.target.key, value, by),
  )
}

async function answerWithEvent(core: RunCore, { id }: OpenRequest, type: string, value: unknown): Promise<unknown> {
  const payload = typeof value === 'object' && value !== null ? value : {}
  const taken = await core.send({ ...payload, type }, { answers: id, answer: payload })
  if (taken) return payload
  throw refused(core, id, `the machine does not take "${type}" in its present state; answer later`)
}

async function answerWithEntry(
  core: RunCore,
  { id, agent }: OpenRequest,
  key: string,
  value: unknown,
  by: string,
): Promise<unknown> {
  const { scope, group } = core.catalogue.find(key) ?? {}
  const asker = core.processOf(agent)
  const where = {
    ...(scope === 'private' ? { holder: agent } : {}),
    ...(scope === 'group' && group === undefined && asker !== undefined ? { group: asker.type } : {}),
  }
  const changes = { [key]: put(value, { policy: 'replace', ...where }) }
  const result = await core.updateFromOutside(by, changes, {}, { answers: id, answer: value })
  if (result.kind === 'accepted') return value
  throw refused(core, id, `the answer was not accepted: ${result.message}; the request stays open`)
}

function refused({ runId }: RunCore, id: string, why: string): CallboardError {
  return new CallboardError('request.refused', `run ${runId}: ${why}`, { runId, id })
}
