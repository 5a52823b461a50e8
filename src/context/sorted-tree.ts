// The way to sorted-btree. It is CommonJS: Node hands its class over inside `default`, tools that imitate bundlers
// (Vitest among them) hand over the class itself.
import imported from 'sorted-btree'
import type Module from 'sorted-btree'

/** A B+ tree whose clones share their nodes: a copy costs nothing, a change O(log n). */
export type SortedTree<Key, Value> = Module.default<Key, Value>

export const SortedTree: typeof Module.default = 'default' in imported ? imported.default : (imported as never)
