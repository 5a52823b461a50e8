import { writeFile } from 'node:fs/promises'
import { Command, Option } from 'commander'
import { CallboardError } from '../../base/index.ts'
import { CHART_FORMATS, chartOf, renderChart } from '../../graph/index.ts'
import type { ChartFormat } from '../../graph/index.ts'
import { workflowOf } from '../../workflow/index.ts'
import { EXIT } from '../exit-code.ts'
import { describeError } from '../fail.ts'
import { loadMachine } from '../load-module.ts'
import type { Terminal } from '../terminal.ts'

interface GraphOptions {
  readonly format: ChartFormat
  readonly out?: string
  readonly export?: string
}

/** `callboard graph <module>`: draws a machine, with what its agents read and write. */
export function graphCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('graph')
    .description('draw the workflow that a module exports')
    .argument('<module>', 'a JavaScript or TypeScript file')
    .addOption(new Option('--format <format>', 'how to draw it').choices(CHART_FORMATS).default('mermaid'))
    .option('--out <file>', 'write to a file instead of the standard output')
    .option('--export <name>', 'the export to draw, where there are several')
    .action(async (module: string, { format, out, export: exportName }: GraphOptions) => {
      const machine = await loadMachine({ module, exportName, cwd: terminal.cwd })
      const agents = workflowOf(machine)?.agents
      const text = await renderChart(chartOf(machine, agents === undefined ? {} : { agents }), format)
      if (out === undefined) terminal.out.write(text)
      else await writeTo(out, text)
      end(EXIT.success)
    })
}

/** @throws CallboardError `cli.out` */
async function writeTo(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((cause: unknown) => {
    throw new CallboardError('cli.out', `cannot write "${path}": ${describeError(cause).message}`, { path }, { cause })
  })
}
