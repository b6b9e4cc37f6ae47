// What a terminal would not print but act on: control characters, and what turns the direction of writing.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/** Makes a text with untrusted parts fit for one line of a terminal: control characters are escaped, endless words are cut. */
export function printable(text: string): string {
  return text
    .replace(/\S{1000,}/g, word => `${word.slice(0, 200)}…${word.slice(-50)}`)
    .replace(UNPRINTABLE, escape)
}

const COLOURS_OR_UNPRINTABLE = new RegExp(`\\x1b\\[[0-9;]*m|${UNPRINTABLE.source}`, 'gu')

/** The same for text in several lines to which colours were added: what is no colour is escaped, but for tabs and newlines. */
export const printableInColour = (text: string): string =>
  text.replace(COLOURS_OR_UNPRINTABLE, found => (/^[\t\n]$|^\p{Cc}\[/u.test(found) ? found : escape(found)))

const escape = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
