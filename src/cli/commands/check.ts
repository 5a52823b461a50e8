import { Command } from 'commander'
import { checkAgainst } from '../../check/index.ts'
import type { CheckReport, RunCheck } from '../../check/index.ts'
import { openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { loadWorkflows } from '../load-module.ts'
import type { Terminal } from '../terminal.ts'
import { visibleText } from '../visible-text.ts'

interface CheckOptions {
  readonly against: string
  readonly ended?: true
  readonly json?: true
}

/** `callboard check --against <db> <module...>`: which stored runs would go on with these workflows. */
export function checkCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('check')
    .description('say which stored runs go on with the workflows of these modules, need a migration, or break')
    .argument('<module...>', 'JavaScript or TypeScript files; all workflows they export')
    .requiredOption('--against <db>', 'the database with the stored runs; it is only read')
    .option('--ended', 'list ended runs too')
    .option('--json', 'write one JSON document')
    .addHelpText('after', '\nexit codes: 0 every run goes on, 1 some would break, 2 not usable')
    .action(async (modules: readonly string[], { against, ended, json }: CheckOptions) => {
      const { cwd } = terminal
      const workflows = (await Promise.all(modules.map((module) => loadWorkflows({ module, cwd })))).flat()
      await using database = await openExisting(against, terminal)
      const report = await checkAgainst(database.store, workflows, { ended: ended === true })
      terminal.out.write(json === true ? `${JSON.stringify(report, null, 2)}\n` : textOf(report, terminal.style))
      end(report.counts.breaks === 0 ? EXIT.success : EXIT.failed)
    })
}

const WORDS = {
  restores: ['green', 'restores'],
  'restores-changed': ['green', 'restores, changed'],
  'needs-migration': ['yellow', 'needs migration'],
  breaks: ['red', 'breaks'],
} as const satisfies Record<RunCheck['outcome'], readonly [string, string]>

function textOf({ runs, counts }: CheckReport, style: Terminal['style']): string {
  const width = Math.max(...Object.values(WORDS).map(([, word]) => word.length))
  const lines = runs.flatMap((run) => {
    const [colour, word] = WORDS[run.outcome]
    const parent = run.parent === undefined ? [] : [`child of ${run.parent}`]
    const about = [run.runId, run.workflow, versionsOf(run), ...parent].map(visibleText).join('  ')
    const reasons = run.reasons.map((reason) => `${' '.repeat(width)}    ${visibleText(reason)}`)
    return [`${style(colour, word.padEnd(width))}  ${about}`, ...reasons]
  })
  const changes = [...changesOf(runs)].map(([where, what]) => visibleText(`changed ${where}: ${what}`))
  const total = Object.entries(WORDS).map(([outcome, [, word]]) => `${counts[outcome as RunCheck['outcome']]} ${word}`)
  return [...lines, ...changes, `${runs.length} ${runs.length === 1 ? 'run' : 'runs'}: ${total.join('; ')}`]
    .map((line) => `${line}\n`)
    .join('')
}

function versionsOf({ from, to }: RunCheck): string {
  return to === undefined || to.version === from.version ? from.version : `${from.version} → ${to.version}`
}

/** What has changed, once for all runs of one definition. */
function changesOf(runs: readonly RunCheck[]): ReadonlyMap<string, string> {
  const changes = new Map<string, string>()
  for (const { workflow, from, differences } of runs)
    if (differences.length > 0)
      changes.set(`in ${workflow} since ${from.version} (${from.hash?.slice(0, 8) ?? ''})`, differences.join('; '))
  return changes
}
