// Which names and texts look like secrets (REQUIREMENTS 34). Words decide, not substrings: `monkey`, `keyboard` and
// `tokens_used: 5` are ordinary, `apiKey`, `db_password` and a nested `{ token: "…" }` are not.

const SECRET_WORDS = new Set([
  'password',
  'passwords',
  'passwd',
  'pwd',
  'passphrase',
  'credential',
  'credentials',
  'secret',
  'secrets',
  'token',
  'apikey',
  'apikeys',
])

/** `key` is a secret by itself only as the whole name or behind one of these words. */
const KEY_QUALIFIERS = new Set([
  'api',
  'access',
  'secret',
  'private',
  'encryption',
  'signing',
  'ssh',
  'auth',
  'master',
  'service',
  'account',
  'license',
  'session',
  'client',
  'aws',
  'gpg',
  'pgp',
])

/** Words that, behind a telling word, say that this is about the secret and not the secret itself. */
const ABOUT_WORDS = new Set(['count', 'used', 'usage', 'limit', 'length', 'policy', 'list', 'budget', 'type', 'name'])

/**
 * Texts with the look of a credential: PEM private keys, JWTs, `Bearer …`, and the prefixes that GitHub, AWS, Slack,
 * OpenAI and Google publish for secret scanning.
 */
const SECRET_TEXT =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:gh[pousr]_\w{30}|github_pat_\w{20}|AKIA[0-9A-Z]{16}|xox[abpr]-[\w-]{10}|sk-[\w-]{20}|AIza[\w-]{30}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.)|\bBearer [\w.~+/-]{16}|\b(?:password|passwd|api[_-]?key|secret)\s*[=:]\s*\S{6}/i

/** Shortest text that SECRET_TEXT can match. */
const SHORTEST_SECRET_TEXT = 12

const known = new Map<string, boolean>()
const MOST_KNOWN_NAMES = 10_000

/** Whether a key's or field's name says that its value is a secret. */
export function isSecretName(name: string): boolean {
  const cached = known.get(name)
  if (cached !== undefined) return cached
  const answer = judgeName(name)
  if (known.size >= MOST_KNOWN_NAMES) known.clear()
  known.set(name, answer)
  return answer
}

/** Whether a text is a secret: by the name it stands under, or by its look. */
export function holdsSecret(text: string, name: string | undefined): boolean {
  if (name !== undefined && text !== '' && name !== 'key' && isSecretName(name)) return true
  return text.length >= SHORTEST_SECRET_TEXT && SECRET_TEXT.test(text)
}

function judgeName(name: string): boolean {
  const words = name
    .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
  return words.some((word, index) => {
    const next = words[index + 1]
    if (next !== undefined && ABOUT_WORDS.has(next)) return false
    if (SECRET_WORDS.has(word)) return true
    if (word !== 'key' && word !== 'keys') return false
    if (word === 'key' && words.length === 1) return true
    const previous = words[index - 1]
    return previous !== undefined && KEY_QUALIFIERS.has(previous)
  })
}
