// Where an actor stands in the tree of a run's machine: the ids on the way down to it. The machine itself is at [].
import type { AnyActorRef } from 'xstate'

export type ActorPath = readonly string[]

interface Family {
  readonly id: string
  readonly _parent?: Family
}

const ROOT: ActorPath = Object.freeze([])

export function pathOf(actor: AnyActorRef): ActorPath {
  if ((actor as unknown as Family)._parent === undefined) return ROOT
  const path: string[] = []
  for (let { id, _parent: parent } = actor as unknown as Family; parent !== undefined; { id, _parent: parent } = parent)
    path.unshift(id)
  return path
}

/** The actor at a path; undefined when there is none now. */
export function actorAt(root: AnyActorRef, path: ActorPath): AnyActorRef | undefined {
  let actor: AnyActorRef | undefined = root
  for (const id of path) actor = actor === undefined ? undefined : childrenOf(actor.getSnapshot())[id]
  return actor
}

/**
 * Whether an actor is still part of the tree.
 *
 * @param snapshotOf what an actor is to be taken for: in the middle of its transition it is not yet what it will be
 */
export function isInTree(actor: AnyActorRef, snapshotOf: (actor: AnyActorRef) => unknown): boolean {
  const { _parent: parent, id } = actor as unknown as { readonly _parent?: AnyActorRef; readonly id: string }
  if (parent === undefined) return true
  return childrenOf(snapshotOf(parent))[id] === actor && isInTree(parent, snapshotOf)
}

function childrenOf(snapshot: unknown): Readonly<Record<string, AnyActorRef | undefined>> {
  return (snapshot as { readonly children?: Readonly<Record<string, AnyActorRef>> }).children ?? {}
}
