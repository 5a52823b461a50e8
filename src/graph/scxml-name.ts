// Names in an SCXML document. State ids come from `stateIds`; here is everything else.

/**
 * An event or an id as SCXML allows it: other characters than letters, digits, `_`, `-` and the dot between tokens
 * become `_x20_` (their code point), as in ISO 9075, so that different names stay different.
 * A final `.*` matches what begins so.
 */
export function scxmlToken(name: string): string {
  if (name === '*') return name
  const [body, wildcard] = name.endsWith('.*') ? [name.slice(0, -2), '.*'] : [name, '']
  const token = (part: string): string =>
    part === '' ? '_x_' : part.replaceAll(/_(?=x)|[^\p{L}\p{N}_-]/gu, (char) => `_x${hex(char)}_`)
  return body.split('.').map(token).join('.') + wildcard
}

/** Any text in characters that XML can hold, as the inside of a JSON string. */
export function jsonInside(text: string): string {
  return jsonForXml(JSON.stringify(text)).slice(1, -1)
}

/** A list of texts as JSON; undefined for an empty one. */
export function jsonList(items: readonly string[]): string | undefined {
  return items.length === 0 ? undefined : jsonForXml(JSON.stringify(items))
}

/** A text as an ECMAScript string in single quotes. */
export function ecmaString(text: string): string {
  return `'${jsonInside(text).replaceAll("'", String.raw`\'`)}'`
}

/** JSON escapes lone surrogates and most control characters itself; here follow those that only XML refuses. */
export function jsonForXml(json: string): string {
  return json.replaceAll(/[\u007F-\u009F\uFFFE\uFFFF]/g, (char) => `\\u${hex(char).padStart(4, '0')}`)
}

function hex(char: string): string {
  return (char.codePointAt(0) ?? 0).toString(16).toUpperCase()
}
