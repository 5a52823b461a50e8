// The browser that tests of drawings and pages share: the system's Chromium, offline.

import { existsSync } from 'node:fs'

import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

/** Where Chromium is; `CHROMIUM` names another one. */
export const CHROMIUM: string = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

const ARGUMENTS: readonly string[] = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/**
 * Why tests in a browser cannot run here; undefined where they can. In CI they must run, so there a missing browser is an
 * error instead: `openBrowser` throws.
 *
 * @example
 * it('renders', (ctx) => {
 *   if (noBrowser) ctx.skip(noBrowser)
 * })
 */
export const noBrowser: string | undefined =
  existsSync(CHROMIUM) || process.env['CI'] !== undefined
    ? undefined
    : `there is no Chromium at ${CHROMIUM}; install it or set CHROMIUM to its path`

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: [...ARGUMENTS] })
}

/** A page with the addresses of everything it asked for beyond this machine; a test expects none. */
export interface OfflinePage {
  readonly page: Page
  readonly requested: readonly string[]
}

/** Opens an empty page in a fresh context that reaches no other machine. */
export async function openOfflinePage(browser: Browser, options: BrowserContextOptions = {}): Promise<OfflinePage> {
  const context = await browser.newContext(options)
  const requested: string[] = []
  await context.route('**/*', (route) => {
    const { hostname, protocol } = new URL(route.request().url())
    if (protocol === 'data:' || protocol === 'blob:' || hostname === '127.0.0.1') return route.continue()
    requested.push(route.request().url())
    return route.abort()
  })
  return { page: await context.newPage(), requested }
}
