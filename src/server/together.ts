// Together: writes that arrive at the same time go on at the same time, so that their records share transactions: of the
// store, which takes everything that waits at once, and of the book.
let going: Promise<void> | undefined

/** Resolves when what has arrived on every connection by now is read. */
export function together(): Promise<void> {
  going ??= new Promise((resolve) => {
    setImmediate(() => {
      going = undefined
      resolve()
    })
  })
  return going
}
