#!/usr/bin/env node
import { callboard } from './program.ts'
import { processTerminal } from './terminal.ts'

// No process.exit(): what agents still tidy up after a stop is finished first.
void callboard(process.argv.slice(2), processTerminal()).then((code) => {
  process.exitCode = code
})
