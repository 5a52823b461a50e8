import type { RuntimeOptions } from './runtime-options.ts'
import { Runtime } from './runtime.ts'

/** Makes a runtime. Whoever makes it closes it. */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const runtime = new Runtime(options)
  await runtime.load()
  return runtime
}
