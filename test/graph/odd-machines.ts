import * as fc from 'fast-check'
import { createMachine } from 'xstate'
import type { AnyStateMachine } from 'xstate'

/** Names that mean something to one of the formats, or to a careless program. */
export const ODD_NAMES: readonly string[] = [
  'end',
  'state',
  'class',
  'note',
  'default',
  'graph',
  'root',
  'constructor',
  'hasOwnProperty',
  'toString',
  'say "hi"',
  "it's",
  'a: b',
  'a --> b',
  '[*]',
  '--',
  'line one\nline two',
  'tab\there',
  'null\u0000byte',
  '<b>bold</b>',
  '<script>alert(1)</script>',
  '</text></svg>',
  '&amp; &lt; &#35; #35;',
  '%% comment',
  '%%{init: {}}%%',
  '{curly}',
  'back\\slash\\',
  '\\N \\G',
  'dot.ted.name',
  '1. list',
  '2) list',
  '# heading',
  '*star* _under_ `tick` ~~gone~~',
  '$$x^2$$',
  'fa:fa-car',
  '[link](javascript:alert(1))',
  'ÜBER straße',
  '日本語の状態',
  '👩‍💻 emoji',
  'عربى',
  '\ud800 lone',
  ' ',
  '  padded  ',
  '#',
  ';',
  ']]>',
  '<!-- -->',
  'a very long name that goes on and on '.repeat(6).trim(),
  'x'.repeat(120),
]

export interface Shape {
  readonly name: string
  readonly kind: 'leaf' | 'final' | 'history' | 'compound' | 'parallel'
  readonly children: readonly Shape[]
  readonly edges: readonly { readonly event: string; readonly targets: readonly number[]; readonly reenter: boolean }[]
  readonly extras: {
    readonly after: boolean
    readonly always: boolean
    readonly invoke: boolean
    readonly deep: boolean
  }
}

const name = fc
  .oneof(
    fc.constantFrom(...ODD_NAMES),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
    fc.stringMatching(/^[a-z]{1,8}$/),
  )
  .filter((key) => key !== '__proto__')

const edges = fc.array(
  fc.record({
    event: name,
    targets: fc.array(fc.nat(), { minLength: 0, maxLength: 2 }),
    reenter: fc.boolean(),
  }),
  { maxLength: 3 },
)

const extras = fc.record({ after: fc.boolean(), always: fc.boolean(), invoke: fc.boolean(), deep: fc.boolean() })

/** States of one level: with different names, and a first one that can be entered. */
const siblings = (child: fc.Arbitrary<Shape>, maxLength: number): fc.Arbitrary<readonly Shape[]> =>
  fc
    .uniqueArray(child, { minLength: 1, maxLength, selector: ({ name }) => name })
    .map(([first, ...rest]) => (first?.kind === 'history' ? [{ ...first, kind: 'leaf' }, ...rest] : [first!, ...rest]))

const { shape } = fc.letrec<{ shape: Shape; leaf: Shape; inner: Shape }>((tie) => ({
  shape: fc.oneof({ maxDepth: 3, withCrossShrink: true }, tie('leaf'), tie('inner')),
  leaf: fc.record({
    name,
    kind: fc.constantFrom('leaf', 'leaf', 'final', 'history'),
    children: fc.constant([]),
    edges,
    extras,
  }),
  inner: fc.record({
    name,
    kind: fc.constantFrom('compound', 'parallel'),
    children: siblings(tie('shape'), 4),
    edges,
    extras,
  }),
}))

/** The shape of a machine: nested anyhow, with transitions that lead anywhere and names that nobody would choose. */
export const oddShape: fc.Arbitrary<Shape> = fc.record({
  name,
  kind: fc.constantFrom('compound' as const, 'parallel' as const),
  children: siblings(shape, 5),
  edges,
  extras,
})

/** The machine of a shape; its states get ids `n0`, `n1`, … in document order, by which transitions find them. */
export function machineFrom(root: Shape): AnyStateMachine {
  const count = countOf(root)
  let next = 0
  const config = (shape: Shape): Record<string, unknown> => {
    const id = `n${next++}`
    const target = ({ targets }: Shape['edges'][number]): readonly string[] => targets.map((to) => `#n${to % count}`)
    if (shape.kind === 'history') return { id, type: 'history', history: shape.extras.deep ? 'deep' : 'shallow' }
    if (shape.kind === 'final') return { id, type: 'final' }
    const children = new Map(shape.children.map((child) => [child.name, config(child)]))
    const isCompound = shape.kind === 'compound'
    const somewhere = shape.edges[0] ? target(shape.edges[0]) : []
    return {
      id,
      ...(shape.kind === 'parallel' && { type: 'parallel' }),
      ...(isCompound && { initial: shape.children[0]?.name }),
      ...((isCompound || shape.kind === 'parallel') && { states: Object.fromEntries(children) }),
      on: Object.fromEntries(
        shape.edges
          .filter(({ event }) => event !== '')
          .map((edge) => [
            edge.event,
            { reenter: edge.reenter, ...(edge.targets.length > 0 && { target: target(edge) }) },
          ]),
      ),
      ...(shape.extras.after && { after: { 1000: { target: somewhere } } }),
      ...(shape.extras.always && { always: { target: somewhere, guard: shape.name } }),
      ...(shape.extras.invoke && { invoke: { src: shape.name } }),
    }
  }
  return createMachine(config(root) as Parameters<typeof createMachine>[0])
}

function countOf({ children }: Shape): number {
  return children.reduce((sum, child) => sum + countOf(child), 1)
}
