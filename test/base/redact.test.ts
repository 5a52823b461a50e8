import { expect, it } from 'vitest'
import { redactSecrets } from 'callboard'

it('redacts secrets at any depth, by name and by look, and nothing else', () => {
  const given = {
    user: 'ann',
    password: 'hunter2',
    tokens_used: 5,
    config: { apiKey: 'abc', list: ['fine', `ghp_${'x'.repeat(36)}`], ['__proto__']: { token: 't' } },
  }
  expect(redactSecrets(given)).toEqual({
    user: 'ann',
    password: '[redacted: sensitive]',
    tokens_used: 5,
    config: {
      apiKey: '[redacted: sensitive]',
      list: ['fine', '[redacted: sensitive]'],
      ['__proto__']: { token: '[redacted: sensitive]' },
    },
  })
  expect(given.password).toBe('hunter2')
})
