// Place: what a resource's URI names, and the URI of it.

export type Place =
  | { readonly kind: 'runs' }
  | { readonly kind: 'run' | 'entries' | 'ledger'; readonly runId: string }
  | { readonly kind: 'entry'; readonly runId: string; readonly key: string }
  | { readonly kind: 'view'; readonly runId: string; readonly agent: string }
  | { readonly kind: 'chart'; readonly workflow: string }

const SCHEME = 'callboard://'

export function uriOf(place: Place): string {
  return `${SCHEME}${partsOf(place).map(encodeURIComponent).join('/')}`
}

function partsOf(place: Place): readonly string[] {
  switch (place.kind) {
    case 'runs':
      return ['runs']
    case 'run':
      return ['runs', place.runId]
    case 'entries':
    case 'ledger':
      return ['runs', place.runId, place.kind]
    case 'entry':
      return ['runs', place.runId, 'entries', place.key]
    case 'view':
      return ['runs', place.runId, 'views', place.agent]
    case 'chart':
      return ['workflows', place.workflow, 'chart']
    default:
      throw new TypeError(`unknown place ${String(place satisfies never)}`)
  }
}

export function isOurs(uri: string): boolean {
  return uri.startsWith(SCHEME)
}

/** Undefined for a URI that names nothing of ours. */
export function placeOf(uri: string): Place | undefined {
  if (!isOurs(uri)) return undefined
  const parts = uri.slice(SCHEME.length).split('/').map(decode)
  if (parts.some((part) => part === undefined || part === '')) return undefined
  const [root, name, field, detail, ...rest] = parts as string[]
  if (rest.length > 0) return undefined
  if (root === 'workflows' && name !== undefined && field === 'chart' && detail === undefined) {
    return { kind: 'chart', workflow: name }
  }
  if (root !== 'runs') return undefined
  return name === undefined ? { kind: 'runs' } : placeInRun(name, field, detail)
}

function placeInRun(runId: string, field: string | undefined, detail: string | undefined): Place | undefined {
  if (field === undefined) return { kind: 'run', runId }
  if (detail === undefined) return field === 'entries' || field === 'ledger' ? { kind: field, runId } : undefined
  if (field === 'entries') return { kind: 'entry', runId, key: detail }
  return field === 'views' ? { kind: 'view', runId, agent: detail } : undefined
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
