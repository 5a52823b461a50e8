// Seats: agents that hand their context out and stay until they are stopped, so that a benchmark can act in their name.

interface Seated {
  readonly runId: string
  readonly id: string
  readonly signal: AbortSignal
}

export class Seats<Context extends Seated> {
  readonly #seated = new Map<string, Context>()

  /** What such an agent runs. */
  sit(context: Context): Promise<void> {
    const name = seatName(context.runId, context.id)
    this.#seated.set(name, context)
    return new Promise((resolve) => {
      context.signal.addEventListener(
        'abort',
        () => {
          this.#seated.delete(name)
          resolve()
        },
        { once: true },
      )
    })
  }

  getOrThrow(runId: string, id: string): Context {
    const context = this.#seated.get(seatName(runId, id))
    if (context === undefined) throw new TypeError(`no agent ${id} of run ${runId} has begun`)
    return context
  }
}

function seatName(runId: string, id: string): string {
  return `${runId}/${id}`
}
