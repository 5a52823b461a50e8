// Model options: what makes no sense is refused when the agent is made. The types refuse most of it; plain JavaScript, and
// numbers that were computed, come here. A mistake found later would be found by calls that are paid for.
import { CallboardError } from '../base/index.ts'
import type { Catalogue } from '../context/index.ts'
import { BOARD_TOOLS } from './board-tools.ts'
import { assertTools } from './own-tools.ts'
import { isNamed } from './rights.ts'
import { keepsUsage } from './usage.ts'
import type { AnyModelOptions } from './model-agent.ts'

interface Rule {
  readonly says: string
  readonly fits: (value: number) => boolean
}

const COUNT: Rule = { says: 'a whole number from 0 on', fits: (value) => value >= 0 && !(value % 1 > 0) }
const LENGTH: Rule = { says: 'a number of milliseconds from 0 on', fits: (value) => value >= 0 }
const POSITIVE: Rule = { says: 'a number above 0', fits: (value) => value > 0 }

/** @throws CallboardError `ai.option` */
export function assertOptions(catalogue: Catalogue, options: AnyModelOptions): void {
  const { model, instructions, budget = {}, settings = {}, countTokens, tools = {} } = options
  assertModel(model)
  if (typeof instructions !== 'function' && typeof instructions !== 'string')
    throw wrong('instructions', instructions, 'a text, or a function that gives one')
  if (countTokens !== undefined && typeof countTokens !== 'function')
    throw wrong('countTokens', countTokens, 'a function that counts the tokens of a text')
  assertNumber('budget.calls', budget.calls, POSITIVE)
  assertNumber('budget.tokens', budget.tokens, POSITIVE)
  assertNumber('viewTokens', options.viewTokens, POSITIVE)
  assertNumber('corrections', options.corrections, COUNT)
  assertNumber('settings.maxOutputTokens', settings.maxOutputTokens, POSITIVE)
  assertNumber('retries', options.retries, COUNT)
  assertNumber('timeoutMs', options.timeoutMs, POSITIVE)
  assertNumber('waitTimeoutMs', options.waitTimeoutMs, LENGTH)
  assertTools(tools)
  assertKeys(catalogue, options)
}

function assertModel(model: unknown): void {
  const isOne = typeof model === 'string' ? model !== '' : typeof model === 'object' && model !== null
  if (!isOne && typeof model !== 'function')
    throw wrong('model', model, 'a language model of the AI SDK, or a function that gives one')
}

function assertNumber(name: string, value: unknown, { says, fits }: Rule): void {
  if (value === undefined || (typeof value === 'number' && fits(value))) return
  throw wrong(name, value, says)
}

function assertKeys(catalogue: Catalogue, { answer = [], boardTools = [], usage, writes = [] }: AnyModelOptions): void {
  for (const tool of boardTools)
    if (!BOARD_TOOLS.includes(tool)) throw wrong('boardTools', tool, `some of ${BOARD_TOOLS.join(', ')}`)
  if (usage !== undefined && !keepsUsage(catalogue.find(usage)))
    throw wrong('usage', usage, 'the key of an entry made by modelUsage()')
  for (const key of answer) {
    const isKey = !key.endsWith('*') && catalogue.find(key) !== undefined
    if (!isKey || !isNamed({ usageKey: usage }, writes, key))
      throw wrong('answer', key, 'one or more keys, not patterns, that the agent may write')
  }
}

function wrong(option: string, value: unknown, rule: string): CallboardError {
  const given = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return new CallboardError('ai.option', `option ${option} is ${given}; it is ${rule}`, { option })
}
