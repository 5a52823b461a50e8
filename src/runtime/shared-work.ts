/** Work that is done once, however many ask for it at the same time; all of them get what comes of it. */
export class SharedWork<Result> {
  readonly #underWay = new Map<string, Promise<Result>>()

  do(id: string, begin: () => Promise<Result>): Promise<Result> {
    const known = this.#underWay.get(id)
    if (known !== undefined) return known
    const work = begin().finally(() => this.#underWay.delete(id))
    this.#underWay.set(id, work)
    return work
  }

  /** Settles when all of it has. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay.values())
  }
}
