/** A text from outside on one line: what would move the cursor, ring or end the line is left out. */
export const visibleText = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()
