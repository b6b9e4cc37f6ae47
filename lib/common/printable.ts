// Characters that a terminal acts on instead of printing: control characters, and those that change the writing direction
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/** A text with untrusted parts, made safe for one line of a terminal: control characters are escaped, very long words are cut. */
export function printable(text: string): string {
  return text
    .replace(/\S{1000,}/g, word => `${word.slice(0, 200)}…${word.slice(-50)}`)
    .replace(UNPRINTABLE, escape)
}

const COLOURS_OR_UNPRINTABLE = new RegExp(`\\x1b\\[[0-9;]*m|${UNPRINTABLE.source}`, 'gu')

/** The same for coloured text of several lines: keeps colours, tabs and newlines, and escapes the rest. */
export const printableInColour = (text: string): string =>
  text.replace(COLOURS_OR_UNPRINTABLE, found => (/^[\t\n]$|^\p{Cc}\[/u.test(found) ? found : escape(found)))

const escape = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
