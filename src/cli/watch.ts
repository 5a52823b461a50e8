// Watch: what is going on in the runs of a runtime, kept up to date from its topics. What it knows is for showing only.
//   W1. Watching changes nothing: it reads, and a failure in it harms no run.
//   W2. Each happening is told once, in the order in which it happened.
import type { Clock } from '../base/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { OpenRequest, Runtime, WaitExplanation } from '../runtime/index.ts'
import type { Progress } from '../workflow/index.ts'
import { visibleText } from './visible-text.ts'

/** What somebody watching is told. */
export interface Happening {
  readonly runId: string
  /** Who it is about: an agent, or undefined for the run itself. */
  readonly agent: string | undefined
  readonly text: string
  readonly tone: 'plain' | 'good' | 'bad' | 'attention'
}

/** An agent as it is shown. */
export interface WatchedAgent {
  readonly id: string
  readonly status: string
  /** What it does or did last. */
  readonly text: string
  readonly done: number | undefined
  readonly total: number | undefined
}

/** A run as it is shown. */
export interface WatchedRun {
  readonly runId: string
  readonly workflow: string
  readonly startedAt: number
  /** The top-level states it is in. */
  readonly phase: string
  readonly agents: readonly WatchedAgent[]
}

interface Tracked {
  readonly workflow: string
  readonly startedAt: number
  phase: string
  readonly agents: Map<string, { status: string; text: string; progress: Progress; told: number; waits: string }>
}

/** What is told of an agent's status in other words. */
const TOLD: ReadonlyMap<string, string> = new Map([
  ['running', 'began'],
  ['resting', 'rests'],
  ['taken-back', 'is taken back with its run, a commit of which failed; it begins again'],
])

/** Progress is told as a line at every quarter of the way. */
const QUARTERS = 4

export class Watch {
  readonly #runtime: Runtime
  readonly #clock: Clock
  readonly #tell: (happening: Happening) => void
  readonly #runs = new Map<string, Tracked>()
  readonly #offs: readonly (() => void)[]
  #look: unknown

  constructor({
    runtime,
    clock,
    tell,
  }: {
    readonly runtime: Runtime
    readonly clock: Clock
    readonly tell: (happening: Happening) => void
  }) {
    this.#runtime = runtime
    this.#clock = clock
    this.#tell = tell
    this.#offs = [
      runtime.on('agent', ({ runId, agent, status }) => this.#onAgent(runId, agent, status)),
      runtime.on('progress', ({ runId, agent, ...progress }) => this.#onProgress(runId, agent, progress)),
      runtime.on('record', ({ runId, record }) => this.#onRecord(runId, record)),
      runtime.on('request', ({ runId, request }) => this.#onRequest(runId, request)),
    ]
  }

  /** The runs, oldest first. */
  runs(): readonly WatchedRun[] {
    return [...this.#runs].map(([runId, { workflow, startedAt, phase, agents }]) => ({
      runId,
      workflow,
      startedAt,
      phase,
      agents: [...agents].map(([id, { status, text, progress, waits }]) => ({
        id,
        status: status === 'running' && waits !== '' ? 'waiting' : status,
        text: status === 'running' && waits !== '' ? waits : text,
        done: progress.done,
        total: progress.total,
      })),
    }))
  }

  close(): void {
    for (const off of this.#offs) off()
    this.#clock.clearTimeout(this.#look)
  }

  #track(runId: string, isFirst = false): Tracked {
    const known = this.#runs.get(runId)
    if (known !== undefined) return known
    const run = this.#runtime.get(runId)
    const workflow = run?.workflow ?? 'workflow'
    const tracked: Tracked = { workflow, startedAt: this.#clock.now(), phase: '', agents: new Map() }
    this.#runs.set(runId, tracked)
    // One that is met before its first record has been told of begins here.
    const goesOn = !isFirst && run !== undefined
    if (goesOn) tracked.phase = describeState(run.state)
    const how = goesOn ? `goes on as ${runId} in phase ${tracked.phase}` : `began as ${runId}`
    this.#tell({ runId, agent: undefined, text: `${workflow} ${how}`, tone: 'plain' })
    return tracked
  }

  #agent(runId: string, id: string): ReturnType<Tracked['agents']['get']> & object {
    const { agents } = this.#track(runId)
    const agent = agents.get(id) ?? { status: 'running', text: '', progress: {}, told: 0, waits: '' }
    agents.set(id, agent)
    return agent
  }

  #onAgent(runId: string, id: string, status: string): void {
    const agent = this.#agent(runId, id)
    if (status === 'running') Object.assign(agent, { text: '', progress: {}, told: 0 })
    Object.assign(agent, { status, waits: '' })
    const tone = status === 'finished' ? 'good' : status === 'failed' ? 'bad' : 'plain'
    this.#tell({ runId, agent: id, text: TOLD.get(status) ?? status, tone })
    this.#lookSoon()
  }

  #onProgress(runId: string, id: string, progress: Progress): void {
    const agent = this.#agent(runId, id)
    const { done, total, message = '' } = progress
    const isNewStage = total !== agent.progress.total || (done ?? 0) < (agent.progress.done ?? 0)
    Object.assign(agent, { progress, text: visibleText(message), ...(isNewStage ? { told: 0 } : {}) })
    if (done === undefined || total === undefined || total <= 0) {
      if (message !== '') this.#tell({ runId, agent: id, text: visibleText(message), tone: 'plain' })
      return
    }
    const quarter = Math.floor((done / total) * QUARTERS)
    if (quarter <= agent.told) return
    agent.told = quarter
    this.#tell({ runId, agent: id, text: `${done}/${total} ${visibleText(message)}`.trimEnd(), tone: 'plain' })
  }

  #onRecord(runId: string, record: LedgerRecord): void {
    const tracked = this.#track(runId, record.seq === 1)
    const { author, changes, refusals, machine } = record
    for (const { message } of refusals)
      this.#tell({ runId, agent: undefined, text: `refused: ${visibleText(message)}`, tone: 'bad' })
    // What the machine itself wrote in the same step is not the author's.
    const own = changes.filter(({ kind, cell }) => kind === 'put' && cell.entry.updatedBy === author)
    const keys = own.map(({ key }) => visibleText(key))
    if (record.kind === 'update' && keys.length > 0) {
      const text = `wrote ${[...new Set(keys)].join(', ')}`
      const agent = tracked.agents.get(author)
      if (agent !== undefined) agent.text = text
      this.#tell({ runId, agent: author, text, tone: 'plain' })
    }
    const phase = machine === undefined ? tracked.phase : describeState(machine.value)
    if (phase !== tracked.phase) {
      tracked.phase = phase
      this.#tell({ runId, agent: undefined, text: `phase ${phase}`, tone: 'attention' })
    }
    this.#lookSoon()
  }

  #onRequest(runId: string, { id, agent, question, target }: OpenRequest): void {
    const what = question ?? ('key' in target ? target.key : target.event)
    const text = `asks a person: ${visibleText(what)} (request ${visibleText(id)})`
    this.#agent(runId, agent).text = text
    this.#tell({ runId, agent, text, tone: 'attention' })
  }

  /** No topic tells of waits: they are looked at after whatever else happened. */
  #lookSoon(): void {
    if (this.#look !== undefined) return
    this.#look = this.#clock.setTimeout(() => {
      this.#look = undefined
      for (const [runId, tracked] of this.#runs) this.#lookAt(runId, tracked)
    }, 0)
  }

  #lookAt(runId: string, { agents }: Tracked): void {
    const run = this.#runtime.get(runId)
    if (run?.status !== 'active') return
    const waits = Map.groupBy(run.explain().waits, ({ waiter }) => waiter)
    for (const [id, agent] of agents) {
      const now = (waits.get(id) ?? []).map(describeWait).join('; ')
      if (now === agent.waits) continue
      agent.waits = now
      if (now !== '') this.#tell({ runId, agent: id, text: now, tone: 'plain' })
    }
  }
}

/** `waits for plan.tasks (planner)`: the keys, and who could write them. */
function describeWait({ keys, producers }: WaitExplanation): string {
  const named = keys.map((key) => {
    const writers = (producers[key] ?? []).map(({ id, type }) => id ?? type)
    return writers.length === 0 ? visibleText(key) : `${visibleText(key)} (${visibleText(writers.join(', '))})`
  })
  return named.length === 0 ? 'waits for a condition' : `waits for ${named.join(', ')}`
}

/** The top-level states: agents tell what goes on inside of them. */
function describeState(value: unknown): string {
  return typeof value === 'string' ? value : Object.keys(value ?? {}).join(', ')
}
