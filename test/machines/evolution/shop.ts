// A small project with something to improve in every area, its own compiler settings and tests.
export const shop: Readonly<Record<string, string>> = {
  'package.json': '{"name":"shop","type":"module","sideEffects":false,"scripts":{"test":"node --test"}}',
  'tsconfig.json': `{
    // read with comments
    "compilerOptions": {
      "target": "es2024", "module": "nodenext", "strict": true, "noEmit": true, "types": ["node"], "skipLibCheck": true,
      "verbatimModuleSyntax": true, "erasableSyntaxOnly": true, "allowImportingTsExtensions": true,
    },
    "include": ["src", "test"],
  }`,
  'README.md': '# Shop\n',
  'src/price.ts': `import { EOL } from 'node:os'
import type { Currency, Rate } from './currency.ts'
import { rates, symbols } from './currency.ts'

export class PriceError extends Error {}

export interface Price { readonly amount: number; readonly currency: Currency }

export type Rounding = 'up' | 'down'

export function readPrice(text: string, fallback: Currency = 'EUR'): Price {
  const amount = Number.parseFloat(text)
  if (Number.isNaN(amount)) {
    throw new PriceError('no amount')
  } else {
    const found = (Object.keys(rates) as Currency[]).find((name) => text.endsWith(name))
    return { amount, currency: found ?? fallback }
  }
}

export function printPrice(price: Price) {
  return \`\${price.amount} \${price.currency}\`
}

export async function logPrice(price: Price, log: (line: string) => void) {
  try {
    log(printPrice(price))
  } catch (error: any) {
    log(String(error))
  }
}
`,
  'src/currency.ts': `export type Currency = 'EUR' | 'USD'
export const rates = { EUR: 1, USD: 1.1 } as const
export const symbols = { EUR: '€', USD: '$' } as const
export type Rate = (typeof rates)[Currency]
`,
  'test/price.test.ts': `import assert from 'node:assert/strict'
import { it } from 'node:test'
import { logPrice, printPrice, readPrice } from '../src/price.ts'

it('reads and prints', async () => {
  assert.equal(printPrice(readPrice('12 USD')), '12 USD')
  assert.throws(() => readPrice('much'), /no amount/)
  const lines: string[] = []
  await logPrice(readPrice('3'), (line) => lines.push(line))
  assert.deepEqual(lines, ['3 EUR'])
})
`,
}
