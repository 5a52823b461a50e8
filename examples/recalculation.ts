// Agents that know their context: an extractor, a calculator that recalculates whenever rates or revenues change, and a
// reporter that follows the calculator. One calculator handles changes as all do; the other overrides that, and only
// recalculates when a rate has moved by more than a percent. Both go by types, filters and grants, not by their ids.
//   npx node examples/recalculation.ts
import { createRuntime, defineContext, entry, READY_FILTERS } from 'callboard'
import type { Notification } from 'callboard'
import { z } from 'zod'

const Revenue = z.object({ amount: z.number(), currency: z.string() })

const board = defineContext({
  'exchange.rates': entry(z.record(z.string(), z.number()), { outside: true, priority: 'high', merge: 'deep' }),
  'exchange.closed': entry(z.boolean(), { outside: true }),
  'website.credential': entry(z.string(), { outside: true, sensitive: true }),
  'extraction.revenues': entry(z.array(Revenue), { priority: 'high' }),
  'calculation.total': entry(z.number(), { dependsOn: ['exchange.rates', 'extraction.revenues'] }),
  'calculation.cautious': entry(z.number(), { dependsOn: ['extraction.revenues'] }),
  'report.text': entry(z.string(), { dependsOn: ['calculation.total'] }),
})

type Rates = Readonly<Record<string, number>>

/** What an agent does when something it listens to has changed; it may refresh what it has made of it. */
type HandleChange = (
  change: Notification,
  known: { readonly used: Rates; readonly now: Rates; readonly refresh: () => Promise<void> },
) => void | Promise<void>

/** What all do that do not say otherwise. */
const refreshAlways: HandleChange = ({ key, by }, { refresh }) => {
  console.log(`financial_calculator: ${key} was changed by ${by}, recalculating`)
  return refresh()
}

/** Looks at how far the dollar has moved before it does anything. */
const refreshWhenItMatters: HandleChange = async ({ key }, { used, now, refresh }) => {
  const moved = Math.abs((now['USD'] ?? 1) / (used['USD'] ?? 1) - 1)
  const matters = moved > 0.01
  console.log(
    `cautious_calculator: ${key} moved by ${(moved * 100).toFixed(1)}%, ${matters ? 'recalculating' : 'leaving it'}`,
  )
  if (matters) await refresh()
}

const calculator = (result: 'calculation.total' | 'calculation.cautious', handleChange = refreshAlways) =>
  board.agent({
    reads: ['exchange.*', 'extraction.*'],
    writes: ['calculation.*'],
    async run({ view, waitFor, waitForAll, update, on }) {
      let used: Rates = {}
      const refresh = async (): Promise<void> => {
        const rates = (used = view.getOrThrow('exchange.rates'))
        const revenues = view.getOrThrow('extraction.revenues')
        const inEuro = revenues.map(({ amount, currency }) => amount * (rates[currency] ?? 1))
        await update({ [result]: Math.round(inEuro.reduce((sum, amount) => sum + amount, 0)) })
      }
      await waitForAll(['exchange.rates', 'extraction.revenues'])
      await refresh()
      // Not told of its own writes, so that what it writes never makes it start again.
      on(['exchange.rates', 'extraction.revenues'], (change) =>
        handleChange(change, { used, now: view.getOrThrow('exchange.rates'), refresh }),
      )
      await waitFor('exchange.closed', { timeoutMs: Infinity })
    },
  })

const web_extractor = board.agent({
  reads: ['website.*'],
  writes: ['extraction.*'],
  grants: { sensitive: ['website.credential'] },
  async run({ waitFor, step, update }) {
    const credential = await waitFor('website.credential')
    const revenues = await step('log in and read', () => [
      { amount: 1_000, currency: 'USD' },
      { amount: credential.length > 0 ? 500 : 0, currency: 'EUR' },
    ])
    await update({ 'extraction.revenues': revenues })
  },
})

const report_generator = board.agent({
  reads: ['calculation.*', 'exchange.closed'],
  writes: ['report.*'],
  async run({ view, waitFor, update, on }) {
    const write = (): Promise<unknown> =>
      update({ 'report.text': `Revenue: ${view.getOrThrow('calculation.total')} EUR` })
    await waitFor('calculation.total')
    await write()
    on('calculation.total', async ({ kind }) => {
      // It has become stale: a new one is on its way.
      if (kind === 'put') await write()
    })
    await waitFor('exchange.closed', { timeoutMs: Infinity })
  },
})

const reporting = board
  .workflow({
    agents: {
      web_extractor,
      financial_calculator: calculator('calculation.total'),
      cautious_calculator: calculator('calculation.cautious', refreshWhenItMatters),
      report_generator,
    },
  })
  .createMachine({
    id: 'reporting',
    initial: 'open',
    states: {
      open: {
        invoke: [
          { src: 'web_extractor' },
          { src: 'financial_calculator', onDone: 'closed' },
          { src: 'cautious_calculator' },
          { src: 'report_generator' },
        ],
      },
      closed: { type: 'final' },
    },
  })

const runtime = await createRuntime()
runtime.filters.forType('financial_calculator', READY_FILTERS.financialCalculator)
const run = await runtime.start(reporting)

/** Writes rates, and waits until everybody has made of them what they will. */
async function announce(rates: Readonly<Record<string, number>>): Promise<void> {
  const since = run.entry('report.text')?.version ?? 0
  await run.update({ 'exchange.rates': { ...rates } }, { by: 'central_bank' })
  await run.waitFor('report.text', { since, fresh: true })
}

const credential = 'not a real one'
await run.update({ 'website.credential': credential }, { by: 'operator' })
await announce({ EUR: 1, USD: 0.9 })
console.log(run.get('report.text'), `v${run.entry('report.text')?.version}`)
await announce({ USD: 0.905 })
console.log(run.get('report.text'), `v${run.entry('report.text')?.version}`)
await announce({ USD: 0.8 })
await run.waitFor('calculation.cautious', { since: 1 })
console.log(run.get('report.text'), `v${run.entry('report.text')?.version}`)

console.log(
  `the calculator's cautious colleague says ${run.get('calculation.cautious')}, version ${run.entry('calculation.cautious')?.version}`,
)
console.log(`the rates are still those of ${run.entry('exchange.rates')?.updatedBy}`)
console.log(`the reporter sees ${run.view('report_generator').keys().join(', ')}`)
await run.update({ 'exchange.closed': true })
await run.done
await runtime.close()
