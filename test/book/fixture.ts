import { parse, type Page } from '../../lib/book/pages.ts'

/** What a stranger might write to get HTML of his own into the site. */
export const EVIL = `<img src=http://evil.example/x onerror=alert(1)>"'&`

const START = `# Start

A short page. It leads to [chapter 3](3-root.md#lists-in-lists), to [the manual](https://man7.org/linux/man-pages/),
to [a file](../lib/container/root.ts) and to \`lib/container/run.ts\`.
`

const EVERYTHING = `# 3. Every feature ${EVIL}

The first paragraph has *emphasis*, **weight**, \`code in backquotes\`, a \\
hard break, ~~a deletion~~ and <b>HTML that is none</b>.

<!-- fact: /nobody sees this/ -->

## Lists in lists

- one
  - two \`with code\`, which is so long that it has to go on in the next line of the same item
    1. three
    2. four
- five

7. loose

   second paragraph of seven
8. eight

## A table: \`cgroup\` ${EVIL}

| name | what it is, in some words | number |
| ---- | :-----------------------: | -----: |
| \`memory.max\` | how much memory the processes of a cgroup may use together, in bytes | 67108864 |
| a \\| b | ${EVIL} | 7 |

### Deeper

> A quotation, which is long enough that it does not stand on one line of a terminal with forty columns.
>
> - with a list

---

## Code

\`\`\`ts lib/container/parts/root.ts#root:first words…last words | other
const hostname: string = \`a\${1}\` // a comment, and a line that is much longer than forty columns are
…
export const </script><script>alert(1)</script> = 'x'
\`\`\`

\`\`\`console minilab step 3 --yes --plain # first…last
$ minilab step 3 --yes --plain
   ✔  it holds for ⟨pid 1⟩
   ✘  ${EVIL}
…
[exit status 1]
\`\`\`

<!-- picture: A box ${EVIL} -->

\`\`\`text
┌──────┐
│ box  ├──▶ another one, far to the right of it, ${'so '.repeat(30)}wide
└──────┘ ${EVIL}
\`\`\`

\`\`\`text
no box
\`\`\`

\`\`\`sh
sudo minilab step 3   # without a source
\`\`\`

## Code

The heading before has the same name. ![a picture](http://evil.example/p.png) [evil](javascript:alert(1)) is no link.

<script>alert('raw')</script>
`

/** A book of three pages with every feature of Markdown that the real one may use. */
export const fixture: Page[] = [
  parse('0-start', START),
  parse('3-root', EVERYTHING),
  parse('appendix', '# Appendix\n\nThe word zebra stands only here, and the word **layer** too.\n'),
]
