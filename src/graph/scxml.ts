// SCXML: a chart as a W3C SCXML document. What a chart only names (guards, actions, named delays, computed outputs)
// becomes a slot that an SCXML processor can run: `guard['approved']` and `delay['patience']` are looked up in the data
// model, where they are missing, that is false and 0, until someone fills them in; an action becomes a `<log>`.
//
// SCXML restricts names; a state's id and an event are therefore made safe, and the original stands beside it in an
// attribute of our namespace, as the inside of a JSON string (lists as JSON), which brings every character back.
//
// Where the two differ and no SCXML can say what XState means: an SCXML event also matches longer names after a dot, and
// an internal transition from a parallel state leaves and enters its regions. `callboard:reenter` keeps what was meant.

import type { Chart, ChartInvoke, ChartOutput, ChartState } from './chart.ts'
import { ecmaString, jsonForXml, jsonInside, jsonList, scxmlToken } from './scxml-name.ts'
import { stateIds } from './state-ids.ts'
import { StateTree } from './state-tree.ts'
import type { ChartTransition } from './transitions.ts'
import { xmlElement } from './xml.ts'
import type { XmlAttributes } from './xml.ts'

/** The namespace of the attributes that keep what SCXML has no place for. */
export const SCXML_NAMESPACE = 'urn:callboard:scxml:1'

interface Document {
  readonly tree: StateTree
  readonly ids: ReadonlyMap<string, string>
}

/** The chart as a W3C SCXML document. */
export function toScxml(chart: Chart): string {
  const tree = new StateTree(chart)
  const document: Document = { tree, ids: stateIds(tree) }
  const { root } = chart
  const end = 'machine.end' // no state's id has a dot
  // Only states can hold transitions; and the end of the outermost one must end the document.
  const finish = xmlElement('final', { id: end }, doneData(root.output))
  const machine = stateElement(
    root,
    document,
    xmlElement('transition', { event: doneEvent(root, document), target: end }),
  )
  const attributes = {
    xmlns: 'http://www.w3.org/2005/07/scxml',
    'xmlns:callboard': SCXML_NAMESPACE,
    version: '1.0',
    datamodel: 'ecmascript',
    initial: idOf(root.path, document),
    'callboard:id': jsonInside(chart.id),
    'callboard:version': chart.version === undefined ? undefined : jsonInside(chart.version),
  }
  const inner = [...dataModel(), ...machine, ...finish]
  return `${['<?xml version="1.0" encoding="UTF-8"?>', ...xmlElement('scxml', attributes, inner)].join('\n')}\n`
}

function dataModel(): readonly string[] {
  const slots = ['guard', 'delay', 'output'].flatMap((id) => xmlElement('data', { id, expr: '{}' }))
  return xmlElement('datamodel', {}, slots)
}

function stateElement(state: ChartState, document: Document, extra: readonly string[] = []): readonly string[] {
  const id = idOf(state.path, document)
  const common = {
    id,
    'callboard:key': state.key === id ? undefined : jsonInside(state.key),
    'callboard:tags': jsonList(state.tags),
    'callboard:description': state.description === undefined ? undefined : jsonInside(state.description),
  }
  if (state.kind === 'history') return historyElement(state, common, document)
  const initial = state.initial && { initial: idOf(state.initial.target, document) }
  const hasInitialActions = (state.initial?.actions.length ?? 0) > 0
  const inner = [
    ...(hasInitialActions ? initialElement(state, document) : []),
    ...entryAndExit(state, document),
    ...(state.kind === 'final' ? doneData(state.output) : []),
    ...transitionElements(state, document),
    ...extra,
    ...state.invokes.flatMap(invokeElement),
    ...state.states.flatMap((child) => stateElement(child, document)),
  ]
  const name = state.kind === 'parallel' || state.kind === 'final' ? state.kind : 'state'
  return xmlElement(name, { ...common, ...(hasInitialActions ? {} : initial) }, inner)
}

function initialElement({ initial }: ChartState, document: Document): readonly string[] {
  if (!initial) return []
  const target = idOf(initial.target, document)
  return xmlElement('initial', {}, xmlElement('transition', { target }, actionElements(initial.actions)))
}

function historyElement(state: ChartState, common: XmlAttributes, document: Document): readonly string[] {
  const { tree } = document
  const parent = tree.parentOf(state.path)
  const regions = (parent?.states ?? []).filter(({ kind }) => kind !== 'history').map(({ path }) => path)
  const initially = parent?.initial ? [parent.initial.target] : regions
  const given = state.history?.targets ?? []
  const target = (given.length > 0 ? given : initially).map((path) => idOf(path, document)).join(' ')
  return xmlElement('history', { ...common, type: state.history?.depth }, xmlElement('transition', { target }))
}

/** A delay is an event sent on entry and cancelled on exit; transitions with the same delay share it. */
function entryAndExit(state: ChartState, document: Document): readonly string[] {
  const timers = new Map<string, ChartTransition>()
  for (const transition of state.transitions) {
    if (transition.kind === 'after') timers.set(afterEvent(transition, state, document), transition)
  }
  const sends = [...timers].flatMap(([event, { delay }]) => {
    const wait = typeof delay === 'number' ? { delay: `${delay}ms` } : { delayexpr: namedDelay(delay) }
    return xmlElement('send', { id: event, event, ...wait })
  })
  const cancels = [...timers.keys()].flatMap((sendid) => xmlElement('cancel', { sendid }))
  return [
    ...blockElement('onentry', [...actionElements(state.entry), ...sends]),
    ...blockElement('onexit', [...actionElements(state.exit), ...cancels]),
  ]
}

function blockElement(name: string, inner: readonly string[]): readonly string[] {
  return inner.length === 0 ? [] : xmlElement(name, {}, inner)
}

function namedDelay(delay = ''): string {
  return `delay[${ecmaString(delay)}] || 0`
}

function transitionElements(state: ChartState, document: Document): readonly string[] {
  return state.transitions.flatMap((transition) => {
    const { guard, actions, label, kind, reenter, description } = transition
    const event = eventName(transition, state, document)
    const attributes = {
      event,
      cond: guard === undefined ? undefined : `!!guard[${ecmaString(guard)}]`,
      ...targetOf(transition, state, document),
      'callboard:event': event === undefined || event === transition.event ? undefined : jsonInside(transition.event),
      'callboard:label': kind === 'event' || kind === 'always' ? undefined : jsonInside(label),
      'callboard:guard': guard === undefined ? undefined : jsonInside(guard),
      'callboard:reenter': reenter ? 'true' : undefined,
      'callboard:description': description === undefined ? undefined : jsonInside(description),
    }
    return xmlElement('transition', attributes, actionElements(actions))
  })
}

function eventName(transition: ChartTransition, state: ChartState, document: Document): string | undefined {
  const { kind, event, invoke = '' } = transition
  switch (kind) {
    case 'always':
      return undefined
    case 'after':
      return afterEvent(transition, state, document)
    case 'done':
      return doneEvent(state, document)
    case 'invoke-done':
      return `done.invoke.${invokeId(invoke)}`
    case 'invoke-error':
      return `error.platform.${invokeId(invoke)}`
    case 'invoke-snapshot':
    case 'route':
    case 'event':
      return scxmlToken(event)
    default:
      throw new TypeError(`unknown transition kind ${String(kind satisfies never)}`)
  }
}

function afterEvent({ delay = 0 }: ChartTransition, { path }: ChartState, document: Document): string {
  return `after.${scxmlToken(String(delay))}.${idOf(path, document)}`
}

function doneEvent({ path }: ChartState, document: Document): string {
  return `done.state.${idOf(path, document)}`
}

/**
 * Where XState stays in a state, SCXML would leave and enter it again: a transition of a plain state to itself loses its
 * target, one to states inside becomes internal, and one of a compound state to itself leads to its initial state.
 */
function targetOf(transition: ChartTransition, state: ChartState, document: Document): XmlAttributes {
  const { targets, reenter } = transition
  if (targets.length === 0) return {}
  const { path, initial } = state
  const toSelf = targets.every((target) => target === path)
  const toInside = targets.every((target) => target !== path && document.tree.isInside(target, path))
  if (toSelf && !reenter && state.states.length === 0) return { 'callboard:target': idOf(path, document) }
  const target = targets.map((to) => idOf(to, document)).join(' ')
  if (reenter || state.kind !== 'compound' || !(toSelf || toInside)) return { target }
  const inside = toSelf && initial ? idOf(initial.target, document) : target
  return { target: inside, type: 'internal', ...(toSelf && { 'callboard:target': target }) }
}

function invokeElement({ src, id, reads, writes }: ChartInvoke): readonly string[] {
  return xmlElement('invoke', {
    type: 'urn:callboard:agent',
    src: encodeURIComponent(src.toWellFormed()),
    id: invokeId(id),
    'callboard:id': jsonInside(id),
    'callboard:src': jsonInside(src),
    'callboard:reads': jsonList(reads),
    'callboard:writes': jsonList(writes),
  })
}

/** With a prefix of their own: the ids of states, timers and invoked actors share one space. */
function invokeId(id: string): string {
  return `invoke.${scxmlToken(id)}`
}

function doneData(output: ChartOutput | undefined): readonly string[] {
  if (!output) return []
  const expr = output.kind === 'value' ? jsonForXml(output.json) : `output[${ecmaString(output.name)}]`
  return xmlElement('donedata', {}, xmlElement('content', { expr }))
}

function actionElements(actions: readonly string[]): readonly string[] {
  return actions.flatMap((action) =>
    xmlElement('log', { label: 'action', expr: ecmaString(action), 'callboard:action': jsonInside(action) }),
  )
}

function idOf(path: string, { ids }: Document): string {
  return ids.get(path) ?? path
}
