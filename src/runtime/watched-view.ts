import type { BoardView, Cell, RenderOptions, View } from '../context/index.ts'

/** A view that remembers which keys were looked at, so that a condition is asked again only when one of them changes. */
export function watchView(
  view: BoardView,
  read: (key: string) => Cell | undefined,
): { view: View; keys: () => readonly string[] | 'every' } {
  const keys = new Set<string>()
  let every = false
  const one = (key: string): void => {
    keys.add(key)
    read(key)
  }
  const whole = (): BoardView => {
    every = true
    return view
  }
  const watched: View = {
    get seq() {
      return whole().seq
    },
    get: (key) => (one(key), view.get(key)),
    has: (key) => (one(key), view.has(key)),
    getOrThrow: (key) => (one(key), view.getOrThrow(key)),
    entry: (key) => (one(key), view.entry(key)),
    entries: () => whole().entries(),
    keys: () => whole().keys(),
    toObject: () => whole().toObject(),
    render: (options: RenderOptions) => whole().render(options),
  }
  return { view: Object.freeze(watched), keys: () => (every ? 'every' : [...keys]) }
}
