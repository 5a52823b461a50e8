/** A text from outside on one line: what would move the cursor, ring or end the line is left out. */
export const visibleText = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()

/** A message whose parts come from outside: visible`run ${runId} has ended`. */
export const visible = (texts: TemplateStringsArray, ...parts: readonly (string | number)[]): string =>
  String.raw({ raw: texts }, ...parts.map((part) => visibleText(String(part))))
