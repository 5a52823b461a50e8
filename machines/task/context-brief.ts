// Context brief: a working set as text for a prompt.
import type { WorkingSet } from './working-set.ts'

/** A memory that might help. */
export interface BriefMemory {
  readonly content: string
  /** From 0 to 1. */
  readonly confidence: number
  readonly type?: string
}

/** Below this, a memory is left out. */
const LEAST_CONFIDENCE = 0.8

export function contextBrief(ws: WorkingSet, memories: readonly BriefMemory[] = []): string {
  const sure = memories.filter(({ confidence }) => confidence >= LEAST_CONFIDENCE)
  const sections: readonly (readonly [heading: string, lines: readonly string[]])[] = [
    ['OBJECTIVE', [ws.objective === '' ? '(unset)' : ws.objective]],
    ['ACCEPTANCE CRITERIA', listed(ws.acceptance_criteria)],
    ['CONSTRAINTS & BUDGETS', listed(ws.constraints)],
    ['PINNED CONTEXT', listed(ws.pinned_context.map(({ id, content }) => `[${id}] ${content}`))],
    [
      'RECENT / SLIDING CONTEXT',
      listed(ws.sliding_context.map(({ id, content, priority }) => `[${id}] (p${priority}) ${content}`)),
    ],
    [
      'RETRIEVED LONG-TERM MEMORY',
      listed(
        sure.map(({ type, confidence, content }) =>
          [...(type === undefined ? [] : [`(${type})`]), `(conf ${confidence.toFixed(2)})`, content].join(' '),
        ),
      ),
    ],
    [
      'STATUS',
      [
        `- status: ${ws.status}`,
        `- current_stage: ${ws.current_stage}`,
        `- next_action: ${ws.next_action === '' ? '(none)' : ws.next_action}`,
        `- last_action_summary: ${ws.last_action_summary === '' ? '(none)' : ws.last_action_summary}`,
        `- blockers: ${ws.blockers.length === 0 ? '(none)' : ws.blockers.join('; ')}`,
      ],
    ],
  ]
  const parts = sections.map(([heading, lines]) => `## ${heading}\n${lines.join('\n')}`)
  return `# CONTEXT BRIEF\n\n${parts.join('\n\n')}\n`
}

function listed(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? ['- (none)'] : lines.map((line) => `- ${line}`)
}
