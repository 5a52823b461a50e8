import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { nodeVersionError } from '../../src/cli/node-version.ts'

describe('a Node that is too old', () => {
  it.each(['20.20.2', '22.99.0', '24.14.9'])('is told so, and what is needed: %s', (version) => {
    expect(nodeVersionError(version)).toBe(
      `error: callboard needs Node 24.15.0 or newer, this is ${version}; install a newer one`,
    )
  })

  it.each(['24.15.0', '24.21.0', '25.0.0'])('is not what this is: %s', (version) => {
    expect(nodeVersionError(version)).toBeUndefined()
  })

  it('is one below what the package asks for', async () => {
    const { engines } = JSON.parse(await readFile('package.json', 'utf8')) as { engines: { node: string } }
    const [, least = ''] = /^>=(\d+\.\d+)/.exec(engines.node) ?? []
    expect(nodeVersionError(`${least}.0`)).toBeUndefined()
    expect(nodeVersionError(`${least.split('.')[0]}.${Number(least.split('.')[1]) - 1}.0`)).toContain(`${least}.0`)
  })
})
