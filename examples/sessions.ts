// Sessions of a shop: plain contexts by id, with a life time that begins anew at every update. Two sessions of one visitor
// become one, a third is forgotten.
//   npx node examples/sessions.ts
import { createSessions } from 'callboard/machines/session'
import { createTestClock } from 'callboard/testing'

// Time passes when the example says so.
const clock = createTestClock()
const sessions = await createSessions({
  clock, // in a program: none
  // store: await openSqlite('sessions.db'), to find them again after a restart
  lifetimeMs: 30 * 60_000,
  maxSessions: 1_000,
})
const off = sessions.on((id, type, data) => console.log(`  ${id}: ${type} ${JSON.stringify(data)}`))

await sessions.create('phone')
await sessions.set('phone', 'cart', { pen: 1 })
await sessions.update('phone', { cart: { paper: 2 }, user: { language: 'it' } })
console.log('phone has', JSON.stringify(await sessions.get('phone')))

await sessions.set('laptop', 'cart', { pen: 3, ink: 1 })
await sessions.set('laptop', 'user', { name: 'Ann' })
console.log('on the laptop, the visitor says who they are: both become one')
await sessions.merge('phone', 'laptop', {
  // What is in a cart is counted together, everything else is merged as it is.
  policy: ({ key, current, update }) => {
    const merged: Record<string, unknown> = { ...(current as object), ...(update as object) }
    if (key === 'cart') {
      for (const [name, count] of Object.entries(current as Record<string, number>)) {
        merged[name] = count + ((update as Record<string, number>)[name] ?? 0)
      }
    }
    return { kind: 'accept', value: merged, conflicts: [] }
  },
  remove: true,
})
console.log('laptop has', JSON.stringify(await sessions.get('laptop')))

await clock.advance(20 * 60_000)
await sessions.set('visitor', 'page', 'prices')
await clock.advance(15 * 60_000)
console.log('35 minutes later there are', (await sessions.list()).join(', '))
console.log('laptop is gone:', JSON.stringify(await sessions.get('laptop')))

off()
await sessions.close()
