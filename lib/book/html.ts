/** Safe HTML; in a template, any other value is inserted as text. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** A template of HTML. Values in `${…}`, which may be untrusted, are inserted as text, unless they are Html or a list of Html. */
export function html(parts: TemplateStringsArray, ...values: (Html | Html[] | string | number)[]): Html {
  const texts = values.map(value =>
    Array.isArray(value)
      ? value.map(({ text }) => text).join('\n')
      : value instanceof Html
        ? value.text
        : escape(value),
  )
  return new Html(String.raw({ raw: parts }, ...texts))
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Escapes a text. Control characters have no meaning in HTML, and bidirectional controls would affect the text around them. */
function escape(value: string | number): string {
  return String(value)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, char => (/\s/.test(char) ? ' ' : '\uFFFD'))
    .replace(/[&<>"']/g, char => ENTITIES[char] ?? char)
}
