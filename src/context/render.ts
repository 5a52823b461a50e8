// Render: a view as text for a prompt, within a budget of tokens. Deterministic; the plan says for every entry why it is
// in, cut or out.
import { CallboardError, canonicalJson, REDACTED } from '../base/index.ts'
import type { Entry } from './entry.ts'

export interface RenderOptions {
  /** Most tokens the text may have. */
  readonly maxTokens: number
  /** Counts the tokens of a text; unless given, one for every four characters. */
  readonly countTokens?: (text: string) => number
  /** Shortest piece, in tokens, that an entry is cut down to; 16 unless given. */
  readonly minCutTokens?: number
  /**
   * Writes one entry: a head line that is never cut, then the value. A sensitive value has been redacted. Unless given, a
   * heading with the value below it.
   */
  readonly format?: (entry: Entry) => string
}

/** What became of one entry, and why. */
export interface RenderPlanLine {
  readonly key: string
  readonly decision: 'in' | 'cut' | 'out'
  readonly reason: string
  readonly tokens: number
}

export interface RenderedView {
  readonly text: string
  readonly tokens: number
  readonly plan: readonly RenderPlanLine[]
  /** The pinned and critical entries alone are larger than the budget; they are in all the same. */
  readonly overBudget: boolean
}

const CUT_MARK = '… (cut)'
const DEFAULT_MIN_CUT_TOKENS = 16

/** One token for every four code points, rounded up: the estimate that S4's working set fixes (REQUIREMENTS 160). */
export function estimateTokens(text: string): number {
  let points = 0
  for (const _point of text) points += 1
  return Math.ceil(points / 4)
}

/** What an entry takes in a prompt, at most: it may become stale later. */
export function tokensInPrompt(entry: Entry): number {
  return estimateTokens(formatEntry({ ...entry, stale: true }))
}

/** @throws CallboardError `view.invalid-budget` for a budget that is not a positive number */
export function renderEntries(entries: readonly Entry[], options: RenderOptions): RenderedView {
  const {
    maxTokens,
    countTokens = estimateTokens,
    minCutTokens = DEFAULT_MIN_CUT_TOKENS,
    format = formatEntry,
  } = options
  if (!(maxTokens > 0)) {
    throw new CallboardError('view.invalid-budget', `maxTokens is ${maxTokens}; it must be a positive number`, {
      maxTokens,
    })
  }
  const sections = entries.map((entry) => ({ entry, text: format(redacted(entry)) }))
  const pinnedTokens = sections.reduce((sum, { entry, text }) => sum + (isAlwaysIn(entry) ? countTokens(text) : 0), 0)
  let left = maxTokens - pinnedTokens
  const parts: string[] = []
  const plan: RenderPlanLine[] = []
  for (const { entry, text } of sections) {
    const tokens = countTokens(text)
    const { key } = entry
    if (isAlwaysIn(entry)) {
      parts.push(text)
      plan.push({ key, decision: 'in', reason: entry.pinned ? 'pinned' : 'critical', tokens })
    } else if (tokens <= left) {
      left -= tokens
      parts.push(text)
      plan.push({ key, decision: 'in', reason: `${entry.priority}, fits`, tokens })
    } else {
      const cut = left >= minCutTokens ? cutToFit(text, left, countTokens) : undefined
      if (cut === undefined) {
        plan.push({
          key,
          decision: 'out',
          reason: `${entry.priority}, needs ${tokens} tokens, ${Math.max(0, left)} are left`,
          tokens: 0,
        })
        continue
      }
      const cutTokens = countTokens(cut)
      left -= cutTokens
      parts.push(cut)
      plan.push({
        key,
        decision: 'cut',
        reason: `${entry.priority}, needs ${tokens} tokens, cut to ${cutTokens}`,
        tokens: cutTokens,
      })
    }
  }
  const tokens = plan.reduce((sum, line) => sum + line.tokens, 0)
  return Object.freeze({
    text: parts.join(''),
    tokens,
    plan: Object.freeze(plan),
    overBudget: pinnedTokens > maxTokens,
  })
}

/** No limit ever drops what is pinned or critical (REQUIREMENTS 24). */
function isAlwaysIn({ pinned, priority }: Entry): boolean {
  return pinned || priority === 'critical'
}

function redacted(entry: Entry): Entry {
  return entry.sensitive ? { ...entry, value: REDACTED } : entry
}

function formatEntry(entry: Entry): string {
  const { key, priority, version, updatedBy, stale, value } = redacted(entry)
  const marks = [priority, `v${version}`, `by ${updatedBy}`, ...(stale ? ['stale'] : [])].join(', ')
  return `## ${key} (${marks})\n${typeof value === 'string' ? value : canonicalJson(value)}\n\n`
}

/** The longest beginning of the text, at a code point, that fits with the mark behind it. */
function cutToFit(text: string, budget: number, countTokens: (text: string) => number): string | undefined {
  const points = Array.from(text)
  const headEnd = points.indexOf('\n') + 1
  let low = headEnd
  let high = points.length
  const cutAt = (length: number): string => `${points.slice(0, length).join('')}${CUT_MARK}\n\n`
  if (countTokens(cutAt(low)) > budget) return undefined
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (countTokens(cutAt(middle)) <= budget) low = middle
    else high = middle - 1
  }
  return low > headEnd ? cutAt(low) : undefined
}
