// Context brief: a working set as text for a prompt.
import type { WorkingSet } from './working-set.ts'

/** A memory that might help. */
export interface BriefMemory {
  readonly content: string
  /** From 0 to 1. */
  readonly confidence: number
  /** Under which the memory is found again. */
  readonly memory_id?: string
}

/** Below this, a memory is left out. */
const LEAST_CONFIDENCE = 0.8

/** In the very words of AoS 2.1: agents' prompts may know them. */
export function contextBrief(ws: WorkingSet, memories: readonly BriefMemory[] = []): string {
  const sure = memories.filter(({ confidence }) => confidence >= LEAST_CONFIDENCE)
  const sections: readonly (readonly [heading: string, lines: readonly string[]])[] = [
    ['OBJECTIVE', [ws.objective.trim() === '' ? '(unset)' : ws.objective.trim()]],
    ['ACCEPTANCE CRITERIA', listed(ws.acceptance_criteria)],
    ['CONSTRAINTS & BUDGETS', listed(ws.constraints)],
    [
      'PINNED CONTEXT',
      listed(
        ws.pinned_context.map(
          ({ id, content, source_ref: source }) =>
            `${content.trim()} (id=${id})${source === undefined || source === '' ? '' : ` source=${source}`}`,
        ),
      ),
    ],
    [
      'RECENT / SLIDING CONTEXT',
      listed(
        ws.sliding_context.map(
          ({ content, priority, timestamp }) => `${content.trim()} (pri=${priority} ts=${timestamp})`,
        ),
      ),
    ],
    [
      'RETRIEVED LONG-TERM MEMORY',
      listed(
        sure.map(
          ({ memory_id: id, confidence, content }) =>
            `${content.trim()} (${id === undefined ? '' : `memory_id=${id} `}conf=${confidence.toFixed(2)})`,
        ),
      ),
    ],
    [
      'STATUS',
      [
        `- status: ${ws.status}`,
        `- stage: ${ws.current_stage}`,
        `- next_action: ${ws.next_action}`,
        ...(ws.blockers.length === 0
          ? ['- blockers: (none)']
          : ['- blockers:', ...ws.blockers.map((one) => `  - ${one}`)]),
      ],
    ],
  ]
  const parts = sections.map(([heading, lines], index) => `## ${index + 1}. ${heading}\n${lines.join('\n')}`)
  return `# CONTEXT BRIEF\n\n${parts.join('\n\n')}\n`
}

function listed(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? ['- (none)'] : lines.map((line) => `- ${line}`)
}
