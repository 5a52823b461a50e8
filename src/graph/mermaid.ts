// Mermaid: a chart as a `stateDiagram-v2`. What Mermaid cannot say is said in words:
//   - it has no history states: they are plain states called `(H)` or `(H*)`;
//   - it refuses an edge between a composite and a state inside: such a transition stands in the composite's note;
//   - it takes an edge's ends for members of the composite in which the edge is written: an edge between levels or
//     regions is therefore written at the end, outside of all composites;
//   - a composite can have no lines of its own: they go to its note;
//   - parallel regions have no names: each is a state alone in its region; a history state of the parallel state
//     itself stands beside the last one.

import type { Chart, ChartState } from './chart.ts'
import {
  behaviourLines,
  historyMark,
  invokeLines,
  nestedTransitionLines,
  stateName,
  transitionParts,
  visible,
} from './label.ts'
import { stateIds } from './state-ids.ts'
import { StateTree } from './state-tree.ts'

interface Drawing {
  readonly tree: StateTree
  readonly ids: ReadonlyMap<string, string>
}

/** The chart as the text of a Mermaid state diagram. */
export function toMermaid(chart: Chart): string {
  const tree = new StateTree(chart)
  const drawing: Drawing = { tree, ids: stateIds(tree) }
  const { root } = chart
  const body = isPlain(root) ? childLines(root, drawing) : stateLines(root, drawing)
  const lines = [...body, ...edgesBetweenLevels(drawing)].map((line) => `  ${line}`)
  return `${['stateDiagram-v2', ...lines].join('\n')}\n`
}

/** A root that only holds states needs no box of its own. */
function isPlain(root: ChartState): boolean {
  return root.kind === 'compound' && root.transitions.length === 0 && noteLines(root, undefined).length === 0
}

function stateLines(state: ChartState, drawing: Drawing): readonly string[] {
  const id = idOf(state.path, drawing)
  const name = state.kind === 'history' ? `(${historyMark(state)}) ${stateName(state)}` : stateName(state)
  const declared = name === id ? id : `state "${escape(name)}" as ${id}`
  const note = noteOf(state, drawing)
  if (state.states.length > 0) {
    const opened = name === id ? `state ${id} {` : `${declared} {`
    return [opened, ...childLines(state, drawing).map((line) => `  ${line}`), '}', ...note]
  }
  const lines = behaviourLines(state).map((line) => `${id} : ${escape(line)}`)
  // The first line of a state replaces its name unless the name is given as a line before it.
  const named = lines.length > 0 ? [declared, ...(name === id ? [`${id} : ${escape(name)}`] : [])] : [declared]
  return [...named, ...lines, ...note]
}

function childLines(state: ChartState, drawing: Drawing): readonly string[] {
  if (state.kind === 'parallel') {
    const regions = state.states.filter(({ kind }) => kind !== 'history')
    const memories = state.states.filter(({ kind }) => kind === 'history')
    const lines = regions.flatMap((region, index) => [...(index > 0 ? ['--'] : []), ...stateLines(region, drawing)])
    return [...lines, ...memories.flatMap((memory) => stateLines(memory, drawing))]
  }
  const states = state.states.flatMap((child) => stateLines(child, drawing))
  const initial = state.initial ? [`[*] --> ${idOf(state.initial.target, drawing)}${initialLabel(state)}`] : []
  const finals = state.states.filter(({ kind }) => kind === 'final')
  return [
    ...states,
    ...initial,
    ...edges(state.states, drawing, (_, target) => drawing.tree.parentOf(target) === state),
    ...finals.map(({ path }) => `${idOf(path, drawing)} --> [*]`),
  ]
}

function initialLabel({ initial }: ChartState): string {
  return initial && initial.actions.length > 0 ? ` : ${escape(`/ ${initial.actions.join(', ')}`)}` : ''
}

function edgesBetweenLevels(drawing: Drawing): readonly string[] {
  const { tree } = drawing
  return edges(tree.states, drawing, (source, target) => {
    const parent = tree.parentOf(source)
    if (parent && parent === tree.parentOf(target)) return parent.kind === 'parallel'
    return !tree.areNested(source, target)
  })
}

/** The transitions and default history targets between states that `wanted` picks, one line for each target. */
function edges(
  sources: readonly ChartState[],
  drawing: Drawing,
  wanted: (source: string, target: string) => boolean,
): readonly string[] {
  const lines: string[] = []
  for (const { path: source, transitions, history } of sources) {
    const all = [
      ...transitions.map((transition) => ({
        targets: transition.targets,
        text: transitionParts(transition).join(' '),
      })),
      { targets: history?.targets ?? [], text: 'default' },
    ]
    for (const { targets, text } of all) {
      for (const target of targets) {
        if (!wanted(source, target)) continue
        lines.push(`${idOf(source, drawing)} --> ${idOf(target, drawing)} : ${escape(text)}`)
      }
    }
  }
  return lines
}

function noteOf(state: ChartState, drawing: Drawing): readonly string[] {
  const lines = noteLines(state, drawing)
  if (lines.length === 0) return []
  return [`note right of ${idOf(state.path, drawing)}`, ...lines.map((line) => `  ${escape(line)}`), 'end note']
}

function noteLines(state: ChartState, drawing: Drawing | undefined): readonly string[] {
  const behaviour = state.states.length > 0 ? behaviourLines(state) : []
  const description = state.description === undefined ? [] : [state.description]
  const agents = state.invokes.flatMap((invoke) => invokeLines(invoke))
  return [...description, ...behaviour, ...agents, ...(drawing ? nestedTransitionLines(state, drawing.tree) : [])]
}

function idOf(path: string, { ids }: Drawing): string {
  return ids.get(path) ?? path
}

/**
 * Mermaid reads markdown, HTML, its own syntax and `#35;` escapes inside of labels; so everything that is not plainly
 * text is written as such an escape.
 */
function escape(text: string): string {
  const shown = visible(text).replaceAll(/[^\p{L}\p{N} .,()[\]/=→]/gu, (char) => `#${char.codePointAt(0)};`)
  // A number with a dot or bracket at the start would be a markdown list.
  return shown
    .replace(/^( *\p{N}+)([.)])/u, (_, number: string, mark: string) => `${number}#${mark.codePointAt(0)};`)
    .replace(/^ +| +$/g, (spaces) => '#160;'.repeat(spaces.length))
}
