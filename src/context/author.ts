/** Who writes: an agent (by the id of its invocation and the name its type is registered under), the workflow, or someone outside. */
export type Author =
  | { readonly kind: 'agent'; readonly id: string; readonly type: string }
  | { readonly kind: 'workflow' }
  | { readonly kind: 'outside'; readonly name: string }

export const WORKFLOW_AUTHOR: Author = Object.freeze({ kind: 'workflow' })

/** The name that entries, records and messages carry. */
export function authorName(author: Author): string {
  switch (author.kind) {
    case 'agent':
      return author.id
    case 'workflow':
      return 'workflow'
    case 'outside':
      return author.name
    default:
      throw new TypeError(`unknown author ${String(author satisfies never)}`)
  }
}
