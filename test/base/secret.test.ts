import { describe, expect, it } from 'vitest'
import { admitValue, holdsSecret, isSecretName } from '../../src/base/index.ts'

describe('names that say that a secret is behind them', () => {
  it.each([
    'password',
    'db_password',
    'dbPassword',
    'user.password',
    'PASSWORD',
    'api_key',
    'apiKey',
    'API_KEY',
    'OPENAI_API_KEY',
    'apikey',
    'x-api-key',
    'access_token',
    'accessToken',
    'refresh token',
    'token',
    'client_secret',
    'clientSecret',
    'secret',
    'credentials.github',
    'credential',
    'privateKey',
    'ssh_key',
    'aws_access_key',
    'passphrase',
    'key',
  ])('%s', (name) => {
    expect(isSecretName(name)).toBe(true)
  })
})

describe('names that only look similar', () => {
  it.each([
    'monkey',
    'keyboard',
    'keyword_list',
    'tokens_used',
    'token_count',
    'tokenLimit',
    'primary_key',
    'foreignKey',
    'keys',
    'turkey',
    'secretary',
    'tokenizer',
    'password_policy',
    'credentials_count',
    'key_findings',
    'max_tokens',
    '',
  ])('%s', (name) => {
    expect(isSecretName(name)).toBe(false)
  })
})

describe('values with a secret in them', () => {
  const github = `ghp_${'a'.repeat(36)}`

  it.each([
    ['under a telling name, however deep', { config: { db: [{ password: 'hunter2' }] } }],
    ['in a map', new Map([['api_key', 'k-123']])],
    ['by its look, under any name', { note: `use ${github} for now` }],
    ['a private key', '-----BEGIN RSA PRIVATE KEY-----\nMII'],
    ['a bearer header', { headers: ['Authorization: Bearer abcdef0123456789abcdef'] }],
    ['a JSON web token', `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(20)}.sig`],
    ['an assignment in a text', 'the file says password = hunter22'],
  ])('are found: %s', (_what, value) => {
    expect(admitValue(value).secret).toBe(true)
  })

  it.each([
    ['a number of tokens', { tokens_used: 5, token_count: 7 }],
    ['ordinary words', { monkey: 'george', keyboard: 'qwerty', keyword_list: ['a'], note: 'the key to success' }],
    ['an empty field', { password: '' }],
    ['a pair of key and value', [{ key: 'colour', value: 'red' }]],
    ['a sentence about passwords', 'choose a good password and keep it'],
  ])('are not suspected: %s', (_what, value) => {
    expect(admitValue(value).secret).toBe(false)
  })

  it('does not take the word key alone for a secret inside a value', () => {
    expect(holdsSecret('colour', 'key')).toBe(false)
  })
})
