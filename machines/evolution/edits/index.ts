import { catchUnknown } from './catch-unknown.ts'
import { document } from './document.ts'
import type { Edit } from './edit.ts'
import { flattenElse } from './flatten-else.ts'
import { removeImports } from './remove-imports.ts'
import { returnTypes } from './return-types.ts'

export { findDocumentable, findUndocumented } from './document.ts'
export type { Edit, EditContext, Proposal, TextChange } from './edit.ts'
export { findElseAfterReturn } from './flatten-else.ts'

/** Every edit, in the order in which a file goes through them: what is documented last is documented as it stays. */
export const edits: readonly Edit[] = [removeImports, catchUnknown, returnTypes, flattenElse, document]
