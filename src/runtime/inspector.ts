import type { Bus } from '../base/index.ts'
import type { RuntimeTopics } from './runtime-services.ts'

/** An inspector that throws is reported; an unguarded one would lose the event that is being sent. */
export function guardInspector(
  inspect: (event: unknown) => void,
  topics: Bus<RuntimeTopics>,
): (event: unknown) => void {
  return (event) => {
    try {
      inspect(event)
    } catch (error) {
      topics.emit('failure', { topic: 'inspect', error })
    }
  }
}
