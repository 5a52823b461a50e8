// Explain: why a run does not move. Pure: from what a run knows about itself to data and sentences.
import { CallboardError } from '../base/index.ts'
import { matchesPattern } from '../context/index.ts'
import type { Wait, WaitForNode } from '../waits/index.ts'
import type { AgentDefinition } from '../workflow/index.ts'
import type { AgentProcess, AgentStatus } from './agent-process.ts'
import { describeEviction } from './evictions.ts'
import type { EvictionNote } from './evictions.ts'

/** Someone who could write a key, and what they are doing. */
export interface Producer {
  /** The name the agent is registered under. */
  readonly type: string
  /** The invocation, or undefined when the agent has not been invoked. */
  readonly id: string | undefined
  readonly status: AgentStatus | 'not invoked'
  /** The step it is in. */
  readonly step: string | undefined
}

export interface WaitExplanation {
  readonly waiter: string
  readonly keys: readonly string[]
  readonly sinceAt: number
  readonly timeoutMs: number
  /** By key, who could write it. */
  readonly producers: Readonly<Record<string, readonly Producer[]>>
}

/** Why a run does not move. */
export interface Explanation {
  readonly runId: string
  readonly status: string
  readonly state: unknown
  readonly agents: readonly {
    readonly id: string
    readonly type: string
    readonly status: AgentStatus
    readonly step: string | undefined
    readonly progress: string | undefined
  }[]
  readonly waits: readonly WaitExplanation[]
  readonly requests: readonly { readonly id: string; readonly agent: string; readonly question: string | undefined }[]
  readonly hasTimers: boolean
  /** The last entries that made room for others, oldest first. */
  readonly evictions: readonly EvictionNote[]
  /** The same in sentences. */
  readonly text: string
}

/** Who could write a key: every agent type whose `writes` match, with its newest invocation. */
export function producersOf(
  key: string,
  agents: ReadonlyMap<string, AgentDefinition>,
  processes: readonly AgentProcess[],
): readonly Producer[] {
  const producers: Producer[] = []
  for (const [type, definition] of agents) {
    const asksFor = definition.person !== undefined && 'key' in definition.person && definition.person.key === key
    if (!asksFor && !definition.writes.some((pattern) => matchesPattern(pattern, key))) continue
    const invoked = processes.filter((process) => process.type === type)
    if (invoked.length === 0) producers.push({ type, id: undefined, status: 'not invoked', step: undefined })
    for (const { id, status, step } of invoked) producers.push({ type, id, status, step })
  }
  return producers
}

export function describeProducer({ type, id, status, step }: Producer): string {
  const name = id === undefined || id === type ? type : `${id} (${type})`
  return `${name} (${step === undefined ? status : `${status}, in step "${step}"`})`
}

/** The sentence about one key: who could write it. */
export function describeProducers(key: string, producers: readonly Producer[]): string {
  if (producers.length === 0) return `no agent of this workflow writes "${key}"`
  return `"${key}" could be written by ${producers.map(describeProducer).join(', ')}`
}

/** The error of a wait whose time is over. */
export function waitTimeoutError(runId: string, wait: Wait, explanation: WaitExplanation): CallboardError {
  const keys = wait.keys.map((key) => (key === '*' ? 'a condition' : `"${key}"`)).join(', ')
  const who = Object.entries(explanation.producers).map(([key, producers]) => describeProducers(key, producers))
  return new CallboardError(
    'wait.timeout',
    `run ${runId}: ${wait.waiter} waited ${wait.timeoutMs} ms for ${keys}${wait.fresh ? ' to be fresh' : ''}; ${who.join('; ')}${who.length > 0 ? '; ' : ''}raise timeoutMs, or handle its absence`,
    { runId, agent: wait.waiter, keys: wait.keys, timeoutMs: wait.timeoutMs, producers: explanation.producers },
  )
}

/** The node of the wait-for graph for one blocked agent. */
export function waitForNode(
  process: AgentProcess,
  waits: readonly Wait[],
  agents: ReadonlyMap<string, AgentDefinition>,
  processes: readonly AgentProcess[],
): WaitForNode {
  const keys = [...new Set(waits.filter(({ waiter }) => waiter === process.id).flatMap((wait) => wait.keys))]
  const writers = keys.map((key) => {
    const blocked = producersOf(key, agents, processes).filter(
      ({ status, id }) => status === 'waiting' && id !== undefined,
    )
    return [key, blocked.map(({ id }) => id ?? '')] as const
  })
  return { agent: process.id, waitsFor: keys, writers: Object.fromEntries(writers) }
}

/** The sentences of an explanation. */
export function describeExplanation({
  runId,
  status,
  state,
  agents,
  waits,
  requests,
  hasTimers,
  evictions,
}: Omit<Explanation, 'text'>): string {
  const lines = [`run ${runId} is ${status} in ${JSON.stringify(state)}`]
  for (const { id, status: doing, step, progress } of agents) {
    lines.push(
      `${id} is ${doing}${step === undefined ? '' : `, in step "${step}"`}${progress === undefined ? '' : `: ${progress}`}`,
    )
  }
  for (const { waiter, keys, producers } of waits) {
    lines.push(
      `${waiter} waits for ${keys.map((key) => `"${key}"`).join(', ')}: ${keys.map((key) => describeProducers(key, producers[key] ?? [])).join('; ')}`,
    )
  }
  for (const { id, agent, question } of requests)
    lines.push(`${agent} asks a person${question === undefined ? '' : `: ${question}`} (answer ${id})`)
  if (hasTimers) lines.push('a delayed transition or event is pending')
  lines.push(...evictions.map(describeEviction))
  return lines.join('\n')
}
