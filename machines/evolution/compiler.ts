import { spawn } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { jsonAt, parseJsonc } from './jsonc.ts'

/** What the compiler says about a folder: its errors, or why it could not be asked. */
export type CompilerOutcome =
  | { readonly kind: 'checked'; readonly errors: readonly CompilerError[] }
  | { readonly kind: 'failed'; readonly note: string }

/** An error without its line, which moves with every comment. */
export interface CompilerError {
  /** Relative to the folder; empty for errors of the configuration. */
  readonly file: string
  readonly text: string
}

/** The project's own compiler, otherwise the one given. */
export async function findCompiler(directory: string, tscPath?: string): Promise<string | undefined> {
  for (const path of [join(directory, 'node_modules', 'typescript', 'bin', 'tsc'), tscPath]) {
    if (path === undefined) continue
    const exists = await access(path).then(
      () => true,
      () => false,
    )
    if (exists) return path
  }
  return undefined
}

/** Checks a folder without writing anything. */
export async function runCompiler(options: {
  readonly compiler: string
  readonly directory: string
  readonly tsconfigFile: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}): Promise<CompilerOutcome> {
  const { compiler, directory, tsconfigFile, timeoutMs, signal } = options
  const off = ['incremental', 'composite', 'emitDeclarationOnly'].flatMap((name) => [`--${name}`, 'false'])
  const flags = ['-p', tsconfigFile, '--noEmit', '--pretty', 'false', ...off, ...(await frugalFlags(compiler))]
  // Nothing is waited for from here to the start: a signal that came before would not be heard.
  signal?.throwIfAborted()
  const deadline = AbortSignal.timeout(timeoutMs)
  const stop = signal ? AbortSignal.any([signal, deadline]) : deadline
  const { code, output } = await runDetached([compiler, ...flags], directory, stop)
  signal?.throwIfAborted()
  if (deadline.aborted) return { kind: 'failed', note: `the compiler did not finish within ${timeoutMs} ms` }
  const errors = parseErrors(output)
  if (code === 0 || errors.length > 0) return { kind: 'checked', errors }
  return { kind: 'failed', note: `the compiler ended with ${code}: ${output.trim().slice(0, 200)}` }
}

/** From version 7 on the compiler checks with several threads, each of which takes as much memory as one alone. */
async function frugalFlags(compiler: string): Promise<readonly string[]> {
  const manifest = await readFile(join(dirname(compiler), '..', 'package.json'), 'utf8').catch(() => '')
  const version = jsonAt(parseJsonc(manifest), 'version')
  return typeof version === 'string' && Number.parseInt(version, 10) >= 7 ? ['--checkers', '1'] : []
}

/** The errors of `after` that `before` does not have, each as often as it is new. */
export function newErrors(before: readonly CompilerError[], after: readonly CompilerError[]): readonly CompilerError[] {
  const known = new Map<string, number>()
  for (const { file, text } of before) known.set(`${file}\n${text}`, (known.get(`${file}\n${text}`) ?? 0) + 1)
  return after.filter(({ file, text }) => {
    const left = known.get(`${file}\n${text}`) ?? 0
    known.set(`${file}\n${text}`, left - 1)
    return left <= 0
  })
}

function parseErrors(output: string): CompilerError[] {
  return output.split(/\r?\n/).flatMap((line) => {
    const match = /^(?:(.+?)\(\d+,\d+\): )?error (TS\d+: .*)$/.exec(line)
    return match ? [{ file: (match[1] ?? '').replaceAll('\\', '/'), text: match[2] ?? '' }] : []
  })
}

/** In a process group of its own: the compiler's launcher starts a program that would outlive it. */
function runDetached(
  args: readonly string[],
  cwd: string,
  stop: AbortSignal,
): Promise<{ code: number; output: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number; output: string }>()
  const child = spawn(process.execPath, args, {
    cwd,
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const chunks: Buffer[] = []
  const kill = () => {
    try {
      process.kill(process.platform === 'win32' ? (child.pid ?? 0) : -(child.pid ?? 0), 'SIGKILL')
    } catch {
      // It has ended by itself in the meantime.
    }
  }
  stop.addEventListener('abort', kill, { once: true })
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.on('error', reject)
  child.on('close', (code) => resolve({ code: code ?? -1, output: Buffer.concat(chunks).toString('utf8') }))
  return promise.finally(() => stop.removeEventListener('abort', kill))
}
