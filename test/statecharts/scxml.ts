// SCXML to a chart: as much of it as the fixtures use. https://www.w3.org/TR/scxml/
import { and, assign, cancel, enqueueActions, not, raise, sendTo, stateIn } from 'xstate'
import type { Chart, Step } from './chart.ts'
import { parseXml } from './xml.ts'
import type { Element } from './xml.ts'

type Data = Record<string, unknown>
interface Args {
  readonly context: Data
  readonly event: { readonly type: string; readonly data?: unknown }
}

/** What a test says beside its machine. */
export interface ScxmlScript {
  readonly initialConfiguration: readonly string[]
  readonly events: readonly {
    readonly after?: number
    readonly event: { readonly name: string; readonly data?: unknown }
    readonly nextConfiguration: readonly string[]
  }[]
}

export interface ScxmlChart {
  readonly chart: Chart
  /** The atomic states that are active after each step; undefined where nothing is said. */
  readonly expected: readonly (readonly string[] | undefined)[]
}

/** @throws for elements it does not know */
export function chartFromScxml(name: string, scxml: string, { initialConfiguration, events }: ScxmlScript): ScxmlChart {
  const root = parseXml(scxml)
  const data = root.all('datamodel').flatMap((model) => model.all('data'))
  const context = Object.fromEntries(
    data.map(({ attributes }) => [attributes['id'] ?? '', evaluate(attributes['expr'], {}, undefined)]),
  )
  const script: Step[] = []
  const expected: (readonly string[] | undefined)[] = [initialConfiguration.map(plainId)]
  for (const { after, event, nextConfiguration } of events) {
    if (after !== undefined) {
      script.push({ after })
      expected.push(undefined)
    }
    script.push({ type: event.name, ...(event.data === undefined ? {} : { data: event.data }) } as Step)
    expected.push(nextConfiguration.map(plainId))
  }
  return { chart: { name, context, config: stateFrom(root), script }, expected }
}

/** The atomic states of a state value. */
export function atomicStates(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return Object.entries(value as Record<string, unknown>).flatMap(([key, inner]) =>
    typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0 ? [key] : atomicStates(inner),
  )
}

function stateFrom(element: Element): object {
  const { name, attributes } = element
  if (name === 'history') {
    const [transition] = element.all('transition')
    return {
      type: 'history',
      id: idOf(element),
      history: attributes['type'] ?? 'shallow',
      ...(transition === undefined ? {} : { target: targetsOf(transition) }),
    }
  }
  const inner = ['state', 'parallel', 'final', 'history'].flatMap((kind) => element.all(kind))
  // The order in the document is the order in which regions are left and entered.
  const states = element.children.filter((child) => inner.includes(child))
  const initial = initialOf(element, states)
  return {
    ...(name === 'scxml' ? {} : { id: idOf(element) }),
    ...(name === 'parallel' ? { type: 'parallel' } : name === 'final' ? { type: 'final' } : {}),
    ...(initial === undefined || name === 'parallel' ? {} : { initial: initial.key }),
    entry: element.all('onentry').flatMap(actionsOf),
    exit: element.all('onexit').flatMap(actionsOf),
    ...transitionsOf(element),
    states: Object.fromEntries([
      ...(initial?.always === undefined ? [] : [[BEFORE, { always: initial.always }] as const]),
      ...states.map((state) => [idOf(state), stateFrom(state)] as const),
    ]),
  }
}

/** XState begins in one child; where SCXML begins deeper or in several, a state before them leads there. */
const BEFORE = 'before the first'

function initialOf(element: Element, states: readonly Element[]): Initial | undefined {
  const [inner] = element.all('initial').flatMap((initial) => initial.all('transition'))
  const named = inner === undefined ? element.attributes['initial'] : inner.attributes['target']
  const ids = states.filter(({ name }) => name !== 'history').map(idOf)
  const wanted = named?.trim().split(/\s+/).map(plainId) ?? ids.slice(0, 1)
  if (wanted.length === 0) return undefined
  const [first = ''] = wanted
  const isChild = wanted.length === 1 && ids.includes(first) && inner === undefined
  return isChild
    ? { key: first }
    : {
        key: BEFORE,
        always: { target: wanted.map((id) => `#${id}`), actions: inner === undefined ? [] : actionsOf(inner) },
      }
}

interface Initial {
  readonly key: string
  readonly always?: object
}

function idOf({ attributes }: Element): string {
  return plainId(attributes['id'] ?? '')
}

/** A dot would be a path to XState. */
function plainId(id: string): string {
  return id.replaceAll('.', '_')
}

function targetsOf({ attributes }: Element): readonly string[] | undefined {
  return attributes['target']
    ?.trim()
    .split(/\s+/)
    .map((id) => `#${plainId(id)}`)
}

function transitionsOf(element: Element): { readonly on: object; readonly always: readonly object[] } {
  const on: Record<string, object[]> = {}
  const always: object[] = []
  for (const transition of element.all('transition')) {
    const { cond, event, type } = transition.attributes
    const made = {
      target: targetsOf(transition),
      reenter: type !== 'internal',
      actions: actionsOf(transition),
      ...(cond === undefined ? {} : { guard: guardFrom(cond) }),
    }
    if (event === undefined) always.push(made)
    else for (const name of event.split(/\s+/)) (on[descriptorOf(name)] ??= []).push(made)
  }
  return { on, always }
}

/** A name of SCXML matches what begins with its tokens. */
function descriptorOf(name: string): string {
  return name === '*' || name.endsWith('.*') ? name : `${name}.*`
}

function guardFrom(cond: string): unknown {
  const parts = cond.split('&&').map((part) => part.trim())
  if (!parts.some((part) => part.includes('In('))) return conditionFrom(cond)
  return and(
    parts.map((part) => {
      const [, negated, state = ''] = /^(!?)In\('(.+)'\)$/.exec(part) ?? []
      if (state === '') return conditionFrom(part)
      return negated === '!' ? not(stateIn(`#${plainId(state)}`)) : stateIn(`#${plainId(state)}`)
    }) as never,
  )
}

function conditionFrom(cond: string): (args: Args) => boolean {
  return ({ context, event }) => Boolean(evaluate(cond, context, event))
}

function actionsOf(element: Element): readonly unknown[] {
  return element.children.flatMap((child) => actionFrom(child))
}

function actionFrom(element: Element): readonly unknown[] {
  const { name, attributes } = element
  switch (name) {
    case 'log':
      return []
    case 'raise':
      return [raise({ type: attributes['event'] ?? '' })]
    case 'cancel':
      return [cancel(attributes['sendid'] ?? '')]
    case 'assign':
      return [
        assign(({ context, event }: Args) => ({
          [attributes['location'] ?? '']: evaluate(attributes['expr'], context, event),
        })),
      ]
    case 'send':
      return [
        sendTo((({ self }: { readonly self: unknown }) => self) as never, { type: attributes['event'] } as never, {
          ...(attributes['delay'] === undefined ? {} : { delay: Number.parseInt(attributes['delay'], 10) }),
          ...(attributes['id'] === undefined ? {} : { id: attributes['id'] }),
        }),
      ]
    case 'if':
      return [branchFrom(element)]
    default:
      throw new TypeError(`no <${name}> here`)
  }
}

/** The first branch whose condition holds. */
function branchFrom(element: Element): unknown {
  const branches: { readonly cond: string; readonly actions: unknown[] }[] = [
    { cond: element.attributes['cond'] ?? 'true', actions: [] },
  ]
  for (const child of element.children) {
    if (child.name === 'elseif' || child.name === 'else')
      branches.push({ cond: child.attributes['cond'] ?? 'true', actions: [] })
    else branches.at(-1)?.actions.push(...actionFrom(child))
  }
  return enqueueActions(({ context, event, enqueue }) => {
    const branch = branches.find(({ cond }) => evaluate(cond, context as Data, event))
    for (const action of branch?.actions ?? []) enqueue(action as never)
  })
}

function evaluate(expression: string | undefined, data: Data, event: Args['event'] | undefined): unknown {
  if (expression === undefined) return undefined
  const names = Object.keys(data)
  // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- the fixtures' own expressions
  const run = new Function('_event', ...names, `return (${expression})`) as (...args: unknown[]) => unknown
  return run({ name: event?.type, data: event?.data }, ...names.map((name) => data[name]))
}
