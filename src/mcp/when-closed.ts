/** Does something more when a server or transport of the SDK has closed: it tells one handler, whoever set it before. */
export function whenClosed(closing: { onclose?: (() => void) | undefined }, work: () => void): void {
  const before = closing.onclose
  const both = (): void => {
    work()
    before?.()
  }
  Object.assign(closing, { onclose: both })
}
