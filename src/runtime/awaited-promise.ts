/**
 * A promise that says when somebody begins to await it. Not a subclass: `await` bypasses the `then` of a native promise.
 */
export class AwaitedPromise<Value> implements Promise<Value> {
  readonly [Symbol.toStringTag] = 'Promise'
  readonly #promise: Promise<Value>
  readonly #onAwait: () => void

  constructor(promise: Promise<Value>, onAwait: () => void) {
    this.#promise = promise
    this.#onAwait = onAwait
  }

  then<Met = Value, Failed = never>(
    onMet?: ((value: Value) => Met | PromiseLike<Met>) | null,
    onFailed?: ((reason: unknown) => Failed | PromiseLike<Failed>) | null,
  ): Promise<Met | Failed> {
    this.#onAwait()
    return this.#promise.then(onMet, onFailed)
  }

  catch<Failed = never>(
    onFailed?: ((reason: unknown) => Failed | PromiseLike<Failed>) | null,
  ): Promise<Value | Failed> {
    return this.then(undefined, onFailed)
  }

  finally(onEnd?: (() => void) | null): Promise<Value> {
    this.#onAwait()
    return this.#promise.finally(onEnd)
  }
}
