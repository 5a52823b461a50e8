// Paths in a pack: relative, canonical, of characters that mean nothing anywhere.

const LONGEST = 200
const PLAIN = /^[\w.@+-]+$/

/** Which rule a path breaks, or undefined. */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'empty'
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) return 'absolute'
  if (path.includes('\\')) return 'backslash'
  const segments = path.split('/')
  if (segments.includes('..')) return 'traversal'
  if (segments.some((segment) => segment === '' || segment === '.')) return 'not-canonical'
  if (path.length > LONGEST) return 'length'
  return segments.every((segment) => PLAIN.test(segment)) ? undefined : 'characters'
}

/** An id as part of a file's name; ids may hold any character. */
export function fileNameOf(id: string): string {
  return id.replaceAll(/[^\w@+-]/g, '_').slice(0, LONGEST / 4) || '_'
}
