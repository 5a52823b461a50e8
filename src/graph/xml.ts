import { visible } from './label.ts'

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A text for XML or HTML, between tags or as a value in quotes. What XML cannot hold is made visible instead. */
export function escapeXml(text: string): string {
  return visible(text).replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
}

/** Attributes in their order; undefined ones are left out. */
export type XmlAttributes = Readonly<Record<string, string | undefined>>

/** An element as indented lines. */
export function xmlElement(name: string, attributes: XmlAttributes, inner: readonly string[] = []): readonly string[] {
  const parts = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escapeXml(value)}"`],
  )
  const start = `<${name}${parts.join('')}`
  return inner.length === 0 ? [`${start}/>`] : [`${start}>`, ...inner.map((line) => `  ${line}`), `</${name}>`]
}
