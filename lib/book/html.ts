/** HTML that is known to be HTML; any other value in a template is text. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** A template of HTML: whatever stands in `${…}` is text, a stranger's perhaps, unless it is Html, or a list of it. */
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

/** Control characters have no meaning in HTML, and those that turn the direction of writing would turn that of others too. */
function escape(value: string | number): string {
  return String(value)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, char => (/\s/.test(char) ? ' ' : '\uFFFD'))
    .replace(/[&<>"']/g, char => ENTITIES[char] ?? char)
}
