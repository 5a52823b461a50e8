import type { Comment, Node, SyntaxTree } from './syntax-tree.ts'

/** The comments right before a statement, nearest last: nothing but white space stands between. */
export function commentsBefore({ comments, text }: SyntaxTree, offset: number): readonly Comment[] {
  let index = lastBefore(comments, offset)
  let reached = offset
  const found: Comment[] = []
  for (let comment = comments[index]; comment !== undefined; comment = comments[--index]) {
    if (text.slice(comment.end, reached).trim() !== '') break
    // A comment that ends the line of other code belongs to that code.
    const lineStart = text.lastIndexOf('\n', comment.start - 1) + 1
    if (comment.start > 0 && text.slice(lineStart, comment.start).trim() !== '') break
    found.unshift(comment)
    reached = comment.start
  }
  return found
}

/** The documentation comment of a statement: the last JSDoc block before it, unless it is about the whole file. */
export function docOf(tree: SyntaxTree, statement: Node): Comment | undefined {
  return commentsBefore(tree, startOf(statement)).findLast(
    (comment) =>
      isJsDoc(comment) && !/@(file|fileoverview|license|licence|module|packageDocumentation)\b/.test(comment.value),
  )
}

/** Whether a comment says anything: a word that is not a promise to write one later, or a tag with a text. */
export function saysSomething(comment: Comment): boolean {
  const text = comment.value.replaceAll(/^\s*\*+/gm, '').trim()
  if (/@(inheritDoc|internal|private|hidden|deprecated|type|typedef|callback|override)\b/i.test(text)) return true
  const words = text.replaceAll(/@\w+/g, ' ').match(/[\p{L}\p{N}]+/gu) ?? []
  return words.some((word) => !/^(todo|fixme|tbd|xxx|description|undocumented|param|returns?)$/i.test(word))
}

/** Where a statement begins, with the decorators that may stand before `export`. */
export function startOf(statement: Node): number {
  const inner = 'declaration' in statement && statement.declaration ? statement.declaration : statement
  const decorators = 'decorators' in inner && Array.isArray(inner.decorators) ? inner.decorators : []
  return Math.min(statement.start, ...decorators.map(({ start }) => start))
}

/** Whether a comment is an order to a tool about what follows it. */
export function isDirective({ value }: Pick<Comment, 'value'>): boolean {
  return /@ts-|eslint-|oxlint-|biome-|prettier-|oxfmt-|istanbul|\bc8\b|\bv8\b|[@#]__|@vite|webpack|#region|#endregion/.test(
    value,
  )
}

/** Whether a comment is a JSDoc block. */
export function isJsDoc({ type, value }: Comment): boolean {
  return type === 'Block' && value.startsWith('*') && !value.startsWith('**')
}

function lastBefore(comments: readonly Comment[], offset: number): number {
  let low = 0
  let high = comments.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((comments[middle]?.end ?? 0) <= offset) low = middle + 1
    else high = middle
  }
  return low - 1
}
