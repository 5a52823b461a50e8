// How much room a text takes. No font is at hand where a chart is drawn, so widths are estimated, on the wide side: the
// same drawing has to hold Helvetica, DejaVu Sans and whatever else a reader's `sans-serif` is.

/** Lines of text with the room they take. */
export interface TextBox {
  readonly lines: readonly string[]
  readonly width: number
  readonly height: number
}

export interface TextStyle {
  readonly size: number
  readonly bold?: boolean
  /** Where to break a line; by default nowhere. */
  readonly maxWidth?: number
  readonly maxLines?: number
}

/** Line height in font sizes. */
export const LINE_HEIGHT = 1.35

/** Breaks texts into lines and measures them; what exceeds `maxLines` is cut off with `…`. */
export function textBox(texts: readonly string[], style: TextStyle): TextBox {
  const { size, maxWidth = Infinity, maxLines = Infinity } = style
  const all = texts.flatMap((text) => wrap(text, (part) => textWidth(part, style) <= maxWidth))
  const lines = all.length > maxLines ? [...all.slice(0, maxLines - 1), `${all[maxLines - 1]}…`] : all
  const width = Math.max(0, ...lines.map((line) => textWidth(line, style)))
  return { lines, width: Math.ceil(width), height: Math.ceil(lines.length * size * LINE_HEIGHT) }
}

function textWidth(text: string, { size, bold = false }: TextStyle): number {
  let ems = 0
  for (const char of text) ems += charWidth(char)
  return ems * size * (bold ? 1.1 : 1)
}

/** Ems; measured on DejaVu Sans, the widest of the common sans-serif fonts. */
function charWidth(char: string): number {
  if (/[ijlI.,:;'|!`]/.test(char)) return 0.36
  if (/[ftr()[\]{}/\\ -]/.test(char)) return 0.42
  if (/[mwMW@%→✓]/.test(char)) return 0.98
  if (/[A-Z#&+<=>~…_*]/.test(char)) return 0.74
  if (/[\u0020-\u04FF]/.test(char)) return 0.63
  return /\p{Mark}/u.test(char) ? 0 : 1.15
}

/** Breaks after a space, dot, comma, slash, dash or underscore where there is one, else in the middle of a word. */
function wrap(text: string, fits: (part: string) => boolean): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const piece of text.split(/(?<=[\s.,/_-])/u).flatMap((word) => (fits(word) ? [word] : [...word]))) {
    if (line !== '' && !fits((line + piece).trimEnd())) {
      lines.push(line.trimEnd())
      line = ''
    }
    line += piece
  }
  return [...lines, line.trimEnd()]
}
