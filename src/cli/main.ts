#!/usr/bin/env node
import { nodeVersionError } from './node-version.ts'

const tooOld = nodeVersionError(process.versions.node)
if (tooOld === undefined) {
  const [{ callboard }, { processTerminal }] = await Promise.all([import('./program.ts'), import('./terminal.ts')])
  // No process.exit(): what agents still tidy up after a stop is finished first.
  process.exitCode = await callboard(process.argv.slice(2), processTerminal())
} else {
  process.stderr.write(`${tooOld}\n`)
  process.exitCode = 1
}
