// The published suite against a server with everything it asks for, built on our door.
import { createRuntime } from 'callboard'
import { openMcp } from 'callboard/mcp'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { ROOT } from '../support/built-package.ts'
import { registerEverything } from './everything.ts'
import { listen } from './listen.ts'

const SUITE = join(ROOT, 'node_modules/@modelcontextprotocol/conformance/dist/index.js')
/** What is expected to fail, each with its reason beside it. */
const BASELINE = join(ROOT, 'test/mcp/conformance-baseline.yml')

it('passes every server scenario of the published conformance suite', async () => {
  const runtime = await createRuntime()
  const door = await openMcp({ runtime, register: registerEverything })
  const { url, close } = await listen(door, () => undefined)
  const folder = mkdtempSync(join(tmpdir(), 'callboard-mcp-'))
  onTestFinished(async () => {
    await door.close()
    await close()
    await runtime.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const { code, output } = await runSuite(
    ['server', '--url', url, '--suite', 'all', '--expected-failures', BASELINE],
    folder,
  )

  expect(output).toMatch(/Total: 44 passed, 0 failed/)
  expect(code, output).toBe(0)
})

function runSuite(
  args: readonly string[],
  cwd: string,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [SUITE, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })))
}
