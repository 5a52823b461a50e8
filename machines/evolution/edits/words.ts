// English from identifiers: enough grammar to say what a name says, and nothing it does not say.

const VERBS = new Set(
  `abort accept acquire activate add adjust advance align allocate allow analyse analyze append apply assert assign attach
  authenticate authorize await back bind block boot bootstrap bubble build bump cache calculate call cancel capture cast
  catch change check choose clean clear click clip clone close coerce collapse collect combine commit compact compare
  compile complete compose compress compute concat configure confirm connect construct consume contain convert copy
  correct count create crop cut debounce decide decode decompress decorate decrease decrement decrypt deduplicate
  deepen define delay delegate delete deliver derive describe deserialize destroy detach detect determine diff disable
  discard disconnect dispatch display dispose divide download drain draw drop dump edit eject emit enable encode encrypt
  end enqueue ensure enter enumerate erase escape estimate eval evaluate evict exclude execute exit expand expect export
  extend extract fail fetch fill filter find finish fix flatten flip flush focus fold follow forget fork format forward
  freeze generate get give grant group grow guard guess handle hash hide highlight hold hydrate identify ignore import
  include increase increment indent infer inherit init initialise initialize inject insert inspect install instantiate
  intersect invalidate invert invoke issue iterate join jump keep kill launch leave lift limit link list listen load
  locate lock log look lower make map mark mask match measure merge migrate minify mock modify monitor mount move
  multiply mutate name narrow navigate negate normalise normalize notify observe obtain omit open optimise optimize
  order override pack pad paginate parse partition pass patch pause peek perform persist pick pin ping pipe place play
  poll pop populate post predict prefix prepare prepend preserve press prevent print process produce prompt propose
  prove provide prune publish pull purge push put query queue quote raise read rebuild receive recognise recognize
  record recover redirect redo reduce refresh refuse register reject release reload remove rename render repair repeat
  replace replay reply report request require reset resize resolve respond restart restore resume retain retrieve retry
  return reverse revert revoke rewrite roll rotate round route run sanitise sanitize save scale scan schedule score
  scroll search seal seed select send serialize serve set setup shift show shrink shuffle shut sign simplify skip sleep
  slice solve sort spawn split spy squash stage start stop store stream stringify strip stub submit subscribe subtract
  sum summarise summarize suspend swap switch sync synchronize tag take tap tear tell terminate test throttle throw tick
  toggle tokenize touch trace track transfer transform translate transpile traverse trigger trim truncate try unbind
  undo unescape uninstall unlink unload unlock unmount unpack unregister unsubscribe unwrap update upgrade upload use
  validate verify visit wait walk warn watch widen wrap write yield zip`.split(/\s+/),
)

const PREPOSITIONS = new Set([
  'from',
  'to',
  'by',
  'with',
  'for',
  'of',
  'in',
  'on',
  'as',
  'at',
  'into',
  'and',
  'or',
  'if',
])

/** The words of an identifier in lower case, acronyms as they are: `parseHTMLPage2` gives parse, HTML, page2. */
export function wordsOf(identifier: string): readonly string[] {
  const parts = identifier
    .replaceAll(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .split(/[\s_$-]+/)
    .filter((part) => part !== '')
  const shouts = !/\p{Ll}/u.test(identifier)
  return parts.map((part) => (!shouts && part.length > 1 && /^[\p{Lu}\p{N}]+$/u.test(part) ? part : part.toLowerCase()))
}

/** Whether a word is known to say what something does. */
export const isVerb = (word: string | undefined): boolean => word !== undefined && VERBS.has(word)

/** Whether a word ties what follows to what comes before. */
export const isPreposition = (word: string | undefined): boolean => word !== undefined && PREPOSITIONS.has(word)

/** `read` gives reads, `match` matches, `copy` copies. */
export function thirdPerson(verb: string): string {
  if (/[^aeiou]y$/.test(verb)) return `${verb.slice(0, -1)}ies`
  return /(s|x|z|ch|sh|[^o]o)$/.test(verb) ? `${verb}es` : `${verb}s`
}

/** The words with `a` or `an`; plurals and mass words that look like plurals without. */
export function withArticle(words: readonly string[]): string {
  const last = words.at(-1) ?? ''
  const text = words.join(' ')
  if (/[^s]s$/.test(last) && !/(us|is|ss|as)$/.test(last)) return text
  return `${/^([aeio]|u(?!ni|s|til|r))/i.test(text) ? 'an' : 'a'} ${text}`
}

/** `a`, `a and b`, `a, b and c`; of more than `limit` the rest as a number. */
export function enumeration(
  items: readonly string[],
  options: { readonly limit?: number; readonly last?: string } = {},
): string {
  const { limit = 5, last = 'and' } = options
  const shown = items.length > limit ? [...items.slice(0, limit), `${items.length - limit} more`] : items
  const head = shown.slice(0, -1).join(', ')
  return head === '' ? (shown[0] ?? '') : `${head} ${last} ${shown.at(-1) ?? ''}`
}

/** With a capital first letter and a full stop. */
export const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
