// Why a pack is refused. Every error names the file inside the pack, where there is one, and the rule that it breaks.
import { CallboardError } from '../base/index.ts'

/** What cannot be read as an archive at all. */
export function notAnArchiveError(why: string, cause?: unknown): CallboardError {
  const message = `the pack is no ZIP archive that can be read: ${why}; get it again, it may have been cut off`
  return new CallboardError('pack.not-an-archive', message, { rule: 'archive' }, { cause })
}

export function unreadableError(path: string, cause: unknown): CallboardError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new CallboardError('pack.unreadable', `cannot read the pack "${path}": ${why}`, { path }, { cause })
}

/** @param rule `traversal`, `absolute`, `backslash`, `not-canonical`, `characters`, `length`, `empty` or `reserved` */
export function pathError(file: string, rule: string): CallboardError {
  const message = `the pack names the file ${quoted(file)}, which breaks the rule "${rule}"; files in a pack have relative paths of plain characters`
  return new CallboardError('pack.path', message, { file, rule })
}

export function linkError(file: string): CallboardError {
  const message = `${quoted(file)} in the pack is a link or a device; a pack holds plain files`
  return new CallboardError('pack.link', message, { file, rule: 'plain-file' })
}

export function duplicateError(file: string): CallboardError {
  const message = `the pack holds ${quoted(file)} twice, perhaps in other letter case; nobody can tell which is meant`
  return new CallboardError('pack.duplicate', message, { file, rule: 'once' })
}

/** @param rule the name of the limit */
export function tooLargeError(rule: string, limit: number, found: number): CallboardError {
  const message = `the pack is larger than is allowed: ${rule} is ${limit}, and it asks for ${found}; if you trust whoever made it, raise limits.${rule}`
  return new CallboardError('pack.too-large', message, { rule, limit, found })
}

/** @param rule `encryption` or `compression` */
export function unsupportedError(file: string, rule: string): CallboardError {
  const message = `${quoted(file)} in the pack uses an ${rule} that packs do not have; pack the run again`
  return new CallboardError('pack.unsupported', message, { file, rule })
}

/** @param rule `crc`, `size` or `data` */
export function damagedFileError(file: string, rule: string, cause?: unknown): CallboardError {
  const message = `${quoted(file)} in the pack is not what was packed (${rule}); get the pack again`
  return new CallboardError('pack.damaged', message, { file, rule }, { cause })
}

export function hashError(file: string, expected: string, actual: string): CallboardError {
  const message = `${quoted(file)} in the pack has the SHA-256 ${actual}, and its manifest says ${expected}; get the pack again`
  return new CallboardError('pack.hash', message, { file, rule: 'sha256', expected, actual })
}

export function missingError(file: string): CallboardError {
  const message = `${quoted(file)} is named in the manifest and not in the pack; get the pack again`
  return new CallboardError('pack.missing', message, { file, rule: 'present' })
}

export function unlistedError(file: string): CallboardError {
  const message = `${quoted(file)} is in the pack and not in its manifest; a pack holds nothing else`
  return new CallboardError('pack.unlisted', message, { file, rule: 'listed' })
}

export function manifestError(file: string, why: string, cause?: unknown): CallboardError {
  const message = `the manifest ${quoted(file)} of the pack cannot be used: ${why}`
  return new CallboardError('pack.manifest', message, { file, rule: 'manifest' }, { cause })
}

export function incompatibleError(file: string, found: readonly string[], known: readonly string[]): CallboardError {
  const message = `the pack is for ${found.map(quoted).join(', ')}, and this is ${known.join(', ')}; use a version that it names, or pack the run again`
  return new CallboardError('pack.incompatible', message, { file, rule: 'compatible_engine_versions', found, known })
}

/** What a file holds is not what it should be. */
export function contentError(file: string, why: string, cause?: unknown): CallboardError {
  const message = `${quoted(file)} in the pack cannot be used: ${why}`
  return new CallboardError('pack.content', message, { file, rule: 'content' }, { cause })
}

/** A store that cannot take a run without its beginning. */
export function trimmedError(runId: string, why: string): CallboardError {
  const message = `run ${runId}: the beginning of its ledger was trimmed, and ${why}`
  return new CallboardError('pack.trimmed', message, { runId })
}

/** What comes from outside, as a text that harms no terminal. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}
