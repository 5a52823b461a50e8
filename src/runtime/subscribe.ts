// Subscribe: somebody outside listens to a run, which may rest or go back to what is stored in the meantime.
import type { Subscriptions, SubscriptionSpec } from '../waits/index.ts'
import type { Seat } from './seat.ts'

/** Adds a subscription that lasts until the run ends, or the function that is given is called. */
export function subscribeOutside(seat: Seat, spec: SubscriptionSpec): () => void {
  let known: Subscriptions | undefined
  let end = (): void => {}
  const detach = seat.attach(({ subscriptions }) => {
    // A run that comes back has brought them along, with what is still to be delivered.
    if (subscriptions !== known) end = subscriptions.add(spec)
    known = subscriptions
    return () => {}
  })
  return () => {
    detach()
    end()
  }
}
