import type { ChartInvoke, ChartState } from './chart.ts'
import type { StateTree } from './state-tree.ts'
import type { ChartTransition } from './transitions.ts'

/**
 * A text as it can be shown in any format: control characters become their visible symbols (a newline `␊`), and what no
 * XML document may hold becomes `�`.
 */
export function visible(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, controlPicture)
    .replaceAll(/[\uFFFE\uFFFF]/g, '\uFFFD')
}

function controlPicture(char: string): string {
  const code = char.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  return code === 0x7f ? '\u2421' : '\uFFFD'
}

/** What a state is called where people read it. */
export function stateName({ key }: ChartState): string {
  return key === '' ? '(empty)' : key
}

/** A transition in up to three parts: the event, `[guard]` and `/ actions`. */
export function transitionParts({ label, guard, actions }: ChartTransition): readonly string[] {
  const parts = [label]
  if (guard !== undefined) parts.push(`[${guard}]`)
  if (actions.length > 0) parts.push(`/ ${actions.join(', ')}`)
  return parts
}

/** What a state does besides going elsewhere: entry, exit, transitions without a target, output, tags. */
export function behaviourLines(state: ChartState): readonly string[] {
  const { entry, exit, transitions, output, tags } = state
  const lines: string[] = []
  if (entry.length > 0) lines.push(`entry / ${entry.join(', ')}`)
  if (exit.length > 0) lines.push(`exit / ${exit.join(', ')}`)
  for (const transition of transitions) if (transition.targets.length === 0) lines.push(stayingLine(transition))
  if (output) lines.push(`output ${output.kind === 'value' ? output.json : output.name}`)
  if (tags.length > 0) lines.push(tags.map((tag) => `#${tag}`).join(' '))
  return lines
}

/** A transition with neither target nor actions is how XState forbids an event that an ancestor would take. */
function stayingLine(transition: ChartTransition): string {
  const text = transitionParts(transition).join(' ')
  return transition.actions.length === 0 ? `${text} ignored` : text
}

/** In words, the transitions of a state that go to states inside or around it, for formats that cannot draw them. */
export function nestedTransitionLines(state: ChartState, tree: StateTree): readonly string[] {
  return state.transitions.flatMap((transition) =>
    transition.targets
      .filter((target) => tree.areNested(state.path, target))
      .map((target) => `${transitionParts(transition).join(' ')} → ${nameAt(target, tree)}`),
  )
}

function nameAt(path: string, tree: StateTree): string {
  const state = tree.get(path)
  return state ? stateName(state) : path
}

/** An invoked agent with what it reads and writes. */
export function invokeLines({ name, src, reads, writes }: ChartInvoke): readonly string[] {
  const lines = [name === src ? `invokes ${src}` : `invokes ${src} as ${name}`]
  if (reads.length > 0) lines.push(`reads ${reads.join(', ')}`)
  if (writes.length > 0) lines.push(`writes ${writes.join(', ')}`)
  return lines
}

/** The mark in a history state's circle. */
export function historyMark(state: ChartState): string {
  return state.history?.depth === 'deep' ? 'H*' : 'H'
}
