import { systemClock } from 'callboard'
import type { Run } from 'callboard'
import { sumUsage } from 'callboard/ai'
import type { ModelUsage } from 'callboard/ai'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { EvolutionError } from './error.ts'
import { Failure, Meta } from './meta.ts'
import { Analysis, Evaluation, Implementation, Plan, Research, Wording, WordingUsage } from './schema.ts'
import { writeWhole } from './write-file.ts'

/** Everything that is known of an evolution, as plain JSON; null for what it has not found out yet. */
export const EvolutionContext = z
  .strictObject({
    format: z.literal('callboard.evolution/1'),
    ...Meta.unwrap().shape,
    originalAnalysis: Analysis.nullable(),
    externalResearch: Research.nullable(),
    improvementPlan: Plan.nullable(),
    implementationLog: Implementation.nullable(),
    implementationPatch: z.string().nullable(),
    currentState: Analysis.nullable(),
    evaluationResults: Evaluation.nullable(),
    /** Where a language model was asked. */
    wording: Wording.optional(),
    wordingUsage: WordingUsage.optional(),
    errorLog: z.array(Failure).readonly(),
  })
  .readonly()
export type EvolutionContext = z.infer<typeof EvolutionContext>

/** The clock of an export; the system's unless given. */
export interface ExportOptions {
  readonly now?: () => number
}

/**
 * The context of an evolution from its board.
 *
 * @throws EvolutionError `evolution.not-an-evolution` for a run of another workflow
 */
export function readEvolution(run: Pick<Run, 'id' | 'get'>): EvolutionContext {
  const meta = Meta.safeParse(run.get('meta'))
  if (!meta.success) {
    const message = `run ${run.id} is no evolution: its board has no "meta"; pass a run of the evolution workflow`
    throw new EvolutionError('evolution.not-an-evolution', message, run.id)
  }
  const wording = run.get('wording.texts')
  const usage = run.get('wording.usage') as ModelUsage | undefined
  return EvolutionContext.parse({
    format: 'callboard.evolution/1',
    ...meta.data,
    originalAnalysis: run.get('analysis.original') ?? null,
    externalResearch: run.get('research.external') ?? null,
    improvementPlan: run.get('plan.improvement') ?? null,
    implementationLog: run.get('implementation.log') ?? null,
    implementationPatch: run.get('implementation.patch') ?? null,
    currentState: run.get('state.current') ?? null,
    evaluationResults: run.get('evaluation.results') ?? null,
    ...(wording === undefined ? {} : { wording }),
    ...(usage === undefined ? {} : { wordingUsage: sumUsage(usage) }),
    errorLog: run.get('errors') ?? [],
  })
}

/**
 * Writes the context of an evolution to `evolution_<id>_<YYYYMMDD_HHMMSS>.json` (UTC) in an existing folder, as a whole
 * or not at all.
 *
 * @returns the path of the file
 */
export async function exportEvolution(
  run: Pick<Run, 'id' | 'get'>,
  directory: string,
  { now = systemClock.now }: ExportOptions = {},
): Promise<string> {
  const context = readEvolution(run)
  const path = join(directory, `evolution_${fileName(context.evolutionId)}_${timestamp(now())}.json`)
  await writeWhole(path, `${JSON.stringify(context, null, 2)}\n`)
  return path
}

/**
 * Reads what `exportEvolution` wrote.
 *
 * @throws EvolutionError `evolution.unreadable`; `evolution.not-an-export` for a file with other contents
 */
export async function importEvolution(path: string): Promise<EvolutionContext> {
  const content = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new EvolutionError('evolution.unreadable', `cannot read "${path}"; name an exported evolution`, path, {
      cause,
    })
  })
  const parsed = EvolutionContext.safeParse(parseJson(content))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const place = issue?.path.map(String).join('.') || 'its root'
  throw new EvolutionError(
    'evolution.not-an-export',
    `"${path}" is no exported evolution (at ${place}: ${issue?.message ?? 'invalid'}); export it again`,
    path,
  )
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    return undefined
  }
}

/** An id as part of a file name: ids may hold any character. */
const fileName = (id: string): string => id.replaceAll(/[^\w.-]/g, '_')

/** 2026-01-02T03:04:05.000Z as 20260102_030405. */
const timestamp = (at: number): string =>
  new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_')
