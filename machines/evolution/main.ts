// npm start: see command.ts.
import { processTerminal } from 'callboard/cli'
import { evolve } from './command.ts'

// No process.exit(): what the agents still tidy up after a stop is finished first.
void evolve(process.argv.slice(2), processTerminal()).then((code) => {
  process.exitCode = code
})
