import { defineContext, entry } from 'callboard'
import type { ContextDefinition } from 'callboard'
import { modelUsage } from 'callboard/ai'
import { z } from 'zod'
import { Approval, Failure, Meta } from './meta.ts'
import { Analysis, Evaluation, Implementation, Plan, Research, UndocumentedNames, Wording } from './schema.ts'
import { Sources } from './sources.ts'

// What is read from source files is no secret of Callboard's: a variable called `token` must not hide a section.
const section = { priority: 'high', protected: true, sensitive: false } as const

const definitions = {
  meta: entry(Meta, { priority: 'critical', pinned: true }),
  errors: entry(z.array(Failure), { merge: 'append', default: [] }),
  sources: entry(Sources, section),
  'analysis.original': entry(Analysis, { ...section, dependsOn: ['sources'] }),
  'research.external': entry(Research, { ...section, dependsOn: ['sources'] }),
  'plan.improvement': entry(Plan, { ...section, dependsOn: ['analysis.original', 'research.external'] }),
  'wording.names': entry(UndocumentedNames, { ...section, priority: 'medium', dependsOn: ['plan.improvement'] }),
  'wording.texts': entry(Wording, { ...section, dependsOn: ['wording.names'] }),
  'wording.usage': modelUsage(),
  approval: entry(Approval, { outside: true, dependsOn: ['plan.improvement'] }),
  'implementation.log': entry(Implementation, { ...section, dependsOn: ['plan.improvement'] }),
  'implementation.patch': entry(z.string(), { ...section, priority: 'medium', dependsOn: ['implementation.log'] }),
  'state.current': entry(Analysis, { ...section, dependsOn: ['implementation.log'] }),
  'evaluation.results': entry(Evaluation, { ...section, dependsOn: ['plan.improvement', 'state.current'] }),
}

/** What each entry of the board holds. */
export type EvolutionValues = { [Key in keyof typeof definitions]: z.output<(typeof definitions)[Key]['schema']> }

/** The board of an evolution: what is known of itself, and one section for what each phase found. */
export const board: ContextDefinition<EvolutionValues> = defineContext(definitions)
