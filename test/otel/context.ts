// A context that follows promises, as OpenTelemetry's own one for Node.js does; that package is no part of this project.
import { AsyncLocalStorage } from 'node:async_hooks'
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import type { Context, ContextManager } from '@opentelemetry/api'
import { onTestFinished } from 'vitest'

class FollowingContext implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>()

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT
  }

  with: ContextManager['with'] = (active, run, self, ...given) =>
    this.#storage.run(active, () => run.call(self as ThisParameterType<typeof run>, ...given))

  bind: ContextManager['bind'] = (_active, target) => target

  enable(): this {
    return this
  }

  disable(): this {
    this.#storage.disable()
    return this
  }
}

/** Contexts follow promises until the test is over. */
export function followContexts(): void {
  context.setGlobalContextManager(new FollowingContext())
  onTestFinished(() => context.disable())
}
