// As much XML as the SCXML fixtures need: elements, attributes, comments; text is left out.

export interface Element {
  /** Without its namespace prefix. */
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly Element[]
  /** The children of a name. */
  all(name: string): readonly Element[]
}

const TAG = /<(\/?)([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>/g
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

export function parseXml(text: string): Element {
  const top = makeElement('', '')
  const open = [top]
  for (const [, closes, name = '', attributes = '', isEmpty] of text.replaceAll(/<!--.*?-->/gs, '').matchAll(TAG)) {
    if (closes === '/') {
      open.pop()
      continue
    }
    const element = makeElement(name, attributes)
    const outer = open.at(-1) ?? top
    ;(outer.children as Element[]).push(element)
    if (isEmpty !== '/') open.push(element)
  }
  const [root] = top.children
  if (root === undefined || open.length !== 1) throw new TypeError('elements are not closed as they are opened')
  return root
}

function makeElement(name: string, text: string): Element {
  const children: Element[] = []
  const attributes = Object.fromEntries(
    [...text.matchAll(ATTRIBUTE)].map(([, key, double, single]) => [key, unescaped(double ?? single ?? '')]),
  )
  return {
    name: name.replace(/^.*:/, ''),
    attributes,
    children,
    all: (wanted) => children.filter((child) => child.name === wanted),
  }
}

function unescaped(text: string): string {
  return text.replaceAll(/&(\w+);/g, (all, name: string) => ENTITIES[name] ?? all)
}
