import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  Analysis,
  Evaluation,
  Implementation,
  Plan,
  Research,
  reportJson,
  reportMarkdown,
} from '../../../machines/evolution/index.ts'
import { shop } from './shop.ts'
import { evolve, hashOf, linkPackages, makeProject, now, tsc } from './world.ts'

it('gives a patch that git applies, after which the project compiles and its tests pass', async () => {
  const root = makeProject(shop)
  linkPackages(root)
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], { cwd: root })
  const { patch, implementation, copy } = await evolve(root)
  expect(implementation.compilation.compiled).toBe('ok')
  writeFileSync(join(root, 'evolution.patch'), patch)
  git('init', '-q')
  git('add', 'src')
  git('apply', '--check', 'evolution.patch')
  git('apply', 'evolution.patch')
  for (const file of ['src/price.ts', 'src/currency.ts']) {
    expect(readFileSync(join(root, file), 'utf8')).toBe(readFileSync(join(copy.directory, file), 'utf8'))
  }
  execFileSync(process.execPath, [tsc, '-p', '.'], { cwd: root })
  execFileSync(process.execPath, ['--test', 'test/price.test.ts'], { cwd: root, stdio: 'pipe' })
  expect(readFileSync(join(root, 'src/price.ts'), 'utf8')).toMatchInlineSnapshot(`
    "import type { Currency } from './currency.ts'
    import { rates } from './currency.ts'

    /** A price error; extends Error. */
    export class PriceError extends Error {}

    /** A price with amount and currency. */
    export interface Price { readonly amount: number; readonly currency: Currency }

    /** One of 'up' or 'down'. */
    export type Rounding = 'up' | 'down'

    /**
     * Reads the price.
     *
     * @param text - string
     * @param fallback - Currency, 'EUR' by default
     * @returns Price
     * @throws PriceError: no amount
     */
    export function readPrice(text: string, fallback: Currency = 'EUR'): Price {
      const amount = Number.parseFloat(text)
      if (Number.isNaN(amount)) {
        throw new PriceError('no amount')
      }
      const found = (Object.keys(rates) as Currency[]).find((name) => text.endsWith(name))
      return { amount, currency: found ?? fallback }
    }

    /**
     * Prints the price.
     *
     * @param price - Price
     * @returns string
     */
    export function printPrice(price: Price): string {
      return \`\${price.amount} \${price.currency}\`
    }

    /**
     * Logs the price.
     *
     * @param price - Price
     * @param log - (line: string) => void
     */
    export async function logPrice(price: Price, log: (line: string) => void): Promise<void> {
      try {
        log(printPrice(price))
      } catch (error: unknown) {
        log(String(error))
      }
    }
    "
  `)
})

it('reaches its goals and says so from a second measurement', async () => {
  const { evaluation, analysis, after } = await evolve(makeProject(shop))
  expect(evaluation.verdict).toBe('success')
  expect(evaluation.goalsAchieved).toEqual(['documentation', 'complexity', 'types', 'unused'])
  expect(analysis.metrics.unusedImports).toBe(3)
  expect(after.metrics.unusedImports).toBe(0)
  expect(evaluation.metricsComparison.find(({ metric }) => metric === 'unusedImports')).toEqual({
    metric: 'unusedImports',
    before: 3,
    planned: 0,
    after: 0,
    delta: -3,
    better: 'lower',
    change: 'improved',
  })
})

it('changes nothing in the project itself', async () => {
  const root = makeProject(shop)
  const before = hashOf(root)
  await evolve(root)
  expect(hashOf(root)).toBe(before)
})

it('keeps to the focus', async () => {
  const { plan, implementation } = await evolve(makeProject(shop), { focus: ['unused'] })
  expect(new Set(plan.tasks.map(({ area }) => area))).toEqual(new Set(['unused']))
  expect(new Set(implementation.changes.map(({ edit }) => edit))).toEqual(new Set(['remove-imports']))
})

it('stores sections that are plain JSON and fit their schemas', async () => {
  const run = await evolve(makeProject(shop))
  const sections = [
    [Analysis, run.analysis],
    [Research, run.research],
    [Plan, run.plan],
    [Implementation, run.implementation],
    [Evaluation, run.evaluation],
  ] as const
  for (const [schema, section] of sections) {
    const copied: unknown = JSON.parse(JSON.stringify(section))
    expect(copied).toEqual(section)
    expect(schema.parse(copied)).toEqual(section)
    expect(section.storedAt).toBe('2026-01-02T03:04:05.000Z')
  }
})

it('reports the same words for the same run', async () => {
  const root = makeProject(shop)
  const [one, two] = [await evolve(root), await evolve(root)]
  expect(reportMarkdown({ target: 'shop', ...one }, now)).toBe(reportMarkdown({ target: 'shop', ...two }, now))
  expect(reportMarkdown({ target: 'shop', ...one }, now)).toContain('**success**')
  expect(JSON.parse(reportJson({ target: 'shop', ...one }, now)).evaluation.verdict).toBe('success')
})
