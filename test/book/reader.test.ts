// `minilab book` in the terminal: what it prints at which width, and how it gets into a pager.
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { Chalk } from 'chalk'
import { describe, expect, test } from 'vitest'
import { codeBlock } from '../../lib/book/code-block.ts'
import { highlight } from '../../lib/book/highlight.ts'
import { columns } from '../../lib/book/lines.ts'
import { type Page, pages, parse } from '../../lib/book/pages.ts'
import { contents } from '../../lib/book/contents.ts'
import { sections } from '../../lib/book/sections.ts'
import { contentsLines, matchLines, nextLines } from '../../lib/cli/book/lines.ts'
import { terminalLines } from '../../lib/book/terminal.ts'
import { runMinilab, userFolder, userData, thorough } from '../support/minilab.ts'
import { noTmux, Terminal } from '../support/terminal.ts'
import { EVIL, fixture } from './fixture.ts'

const book = pages()
const plain = (page: Page, width: number) => terminalLines(page, { ink: new Chalk({ level: 0 }), width })
const coloured = (page: Page, width: number) =>
  terminalLines(page, { ink: new Chalk({ level: 2 }), width, highlight })
const rendered = (markdown: string, width: number) => plain(parse('x', markdown), width)

/** The lines of all code blocks of a page: they are not wrapped. */
const codeOf = ({ tokens }: Page) =>
  new Set(tokens.filter(({ type }) => type === 'fence').flatMap(token => codeBlock(token).text.split('\n')))

describe.each([40, 88])('%i columns', width => {
  test.each([...book, ...fixture])('$name: only code is wider', page => {
    const code = codeOf(page)
    const wide = plain(page, width).filter(line => columns(line) > width)
    expect(wide.filter(line => !code.has(line.replace(/^(│ | {2})/, '')))).toEqual([])
  })

  test.each([...book, ...fixture])('$name: no word of its paragraphs is lost', page => {
    const shown = letters(plain(page, width).join(''))
    const paragraphs = page.tokens.filter(({ type, level }) => type === 'inline' && level === 1)
    expect(paragraphs.length).toBeGreaterThan(0)
    for (const { children } of paragraphs)
      for (const { type, content } of children ?? [])
        if (type === 'text' || type === 'code_inline') expect(shown).toContain(letters(content))
  })

  test.each([...book, ...fixture])('$name: colours take no room, and end on their line', page => {
    for (const line of coloured(page, width)) {
      const [, ...codes] = line.split('\u001b[').map(part => Number.parseInt(part))
      const open = new Set<number>()
      for (const code of codes) if (!open.delete(code)) open.add(CLOSE[code] ?? 39)
      expect([...open], line).toEqual([])
    }
    const code = codeOf(page)
    const wide = coloured(page, width)
      .map(stripVTControlCharacters)
      .filter(line => columns(line) > width)
    expect(wide.filter(line => !code.has(line.replace(/^(│ | {2})/, '')))).toEqual([])
  })
})

/** What closes what, of the codes that are no colours: bold and dim have the same, so a dim word in bold ones opens bold again. */
const CLOSE: Record<number, number> = { 1: 22, 2: 22, 3: 23, 4: 24, 9: 29 }

const letters = (text: string) => text.replace(/[^\p{L}\p{N}]/gu, '')

test('lists, nested and loose, hang under their first line', () => {
  const markdown =
    '- one and some more words\n  - two `with code`\n    1. three\n    2. four\n- five\n\ntext\n\n9. loose\n\n   second\n10. ten'
  expect(rendered(markdown, 18)).toEqual([
    '• one and some',
    '  more words',
    '  • two',
    '    `with code`',
    '    1. three',
    '    2. four',
    '• five',
    '',
    'text',
    '',
    ' 9. loose',
    '',
    '    second',
    '',
    '10. ten',
  ])
})

test('a table has lines around its cells, which wrap', () => {
  const markdown = '| name | what | n |\n|---|:-:|--:|\n| `a.max` | some words more | 7 |\n| b | c | 1234 |'
  expect(rendered(markdown, 60)).toEqual([
    '┌─────────┬─────────────────┬──────┐',
    '│ name    │      what       │    n │',
    '├─────────┼─────────────────┼──────┤',
    '│ `a.max` │ some words more │    7 │',
    '│ b       │        c        │ 1234 │',
    '└─────────┴─────────────────┴──────┘',
  ])
  expect(rendered(markdown, 31)).toEqual([
    '┌─────────┬────────────┬──────┐',
    '│ name    │    what    │    n │',
    '├─────────┼────────────┼──────┤',
    '│ `a.max` │ some words │    7 │',
    '│         │    more    │      │',
    '├─────────┼────────────┼──────┤',
    '│ b       │     c      │ 1234 │',
    '└─────────┴────────────┴──────┘',
  ])
})

test('links show their target, unless it is a page of the book', () => {
  const markdown =
    '[a](https://b.example/) [three](3-root.md#x) [here](#x) [code](../lib/a.ts) [`lib/a.ts`](../lib/a.ts) <https://c.example/>'
  expect(rendered(markdown, 200)).toEqual([
    'a (https://b.example/) three here code (lib/a.ts) `lib/a.ts` https://c.example/',
  ])
})

test('marks stay where there is no colour, and give way to it', () => {
  const markdown = parse('x', 'a *b* **c** `d`, e')
  expect(plain(markdown, 80)).toEqual(['a *b* **c** `d`, e'])
  expect(coloured(markdown, 80)).toEqual([
    'a \u001b[3mb\u001b[23m \u001b[1mc\u001b[22m \u001b[36md\u001b[39m, e',
  ])
})

test('quotations, rules, code with its source, and comments, which nobody sees', () => {
  const markdown =
    '> a quotation that goes on and on\n> - e\n\n---\n\n```ts lib/a.ts#b:c…d | e\nlet x\n\n\tlet y\n```\n\n<!-- fact: /x/ -->\n\nText\n<!-- picture: A box. -->\n```text\n┌┐\n```\n\n```console minilab doctor\n$ minilab doctor\n```'
  expect(rendered(markdown, 24)).toEqual([
    '▎ a quotation that goes',
    '▎ on and on',
    '▎ ',
    '▎ • e',
    '',
    '─'.repeat(24),
    '',
    '┌ lib/a.ts · b, in part',
    '│ let x',
    '│',
    '│     let y',
    '',
    'Text',
    '',
    '  ┌┐',
    '',
    '┌ recorded',
    '│ $ minilab doctor',
  ])
})

test('a caption names each source of its code, and a file only once', () => {
  const markdown = '```ts lib/a.ts#b:c…d | e | lib/a.ts#f | lib/g.ts#h.i | lib/a.ts#b\nlet x\n```'
  expect(rendered(markdown, 80)).toEqual([
    '┌ lib/a.ts · b, in part; f; lib/g.ts · h.i; lib/a.ts · b',
    '│ let x',
  ])
})

test('what could move the cursor is shown as a sign of its own', () => {
  const markdown = `a\u001b[2Jb \`\u009b\` \u202e\n\n\`\`\`ts\n'\u001b]0;x\u0007'\n\`\`\`\n\n| \u001b |\n|---|\n| b |`
  const text = rendered(markdown, 40).join('')
  expect(text).toContain('a\uFFFD[2Jb')
  expect(text).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
})

test.each(['ts', 'sh', 'console', 'c', 'json', 'diff', 'ini', 'asm', 'text', '', 'klingon'])(
  'highlighting %s changes no character',
  language => {
    const text = `$ a 'b' // c\n- d\n+ e\n  …\n{"f": 1, "g": [true]} <h> ✔ ⟨pid 1⟩ \${i}\n[exit status 1]\n${EVIL}`
    const pieces = highlight(language, text)
    expect(pieces.map(({ text }) => text).join('')).toBe(text)
    expect(pieces.some(({ kind }) => kind)).toBe(true)
  },
)

test('code in a template is code again', () => {
  const kinds = highlight('ts', 'const a = `b${1}c` // d').map(({ text, kind }) => [text, kind])
  expect(kinds).toContainEqual(['const', 'keyword'])
  expect(kinds).toContainEqual(['1', 'number'])
  expect(kinds).toContainEqual(['// d', 'comment'])
  expect(kinds.find(([text]) => text?.startsWith('${'))).toEqual(['${', undefined])
})

test.each([40, 88])('contents, what was found and what comes next fit into %i columns', width => {
  const entries = contents(book)
  const look = { ink: new Chalk({ level: 0 }), width }
  const lines = [
    ...contentsLines(entries, look),
    ...matchLines(entries, sections(book), 'the kernel', look),
    ...entries.flatMap(entry => nextLines(entry, entries, look)),
  ]
  expect(lines.length).toBeGreaterThan(80)
  expect(lines.filter(line => columns(line) > width)).toEqual([])
})

describe('minilab book', () => {
  test('the contents: every page, with the command that opens it', async () => {
    const { status, stdout, stderr } = await runMinilab(['book'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    for (const { name, title } of book) {
      const word = /^\d+(?=-)/.exec(name)?.[0] ?? name
      expect(stdout).toContain(title.replace(/^\d+\. /, ''))
      expect(stdout).toMatch(new RegExp(`minilab book ${word} +· +[\\d,]+ words, \\d+ min`))
    }
  })

  test.each([
    ['3', 3] as const,
    ['ROOT', 3] as const,
    ...thorough([['root', 3] as const, ['3-root', 3] as const, ['0', 0] as const, ['7', 7] as const]),
  ])('%s is page %i, without colours into a pipe', async (word, number) => {
    const { status, stdout, stderr } = await runMinilab(['book', word])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.split('\n').slice(0, -4)).toEqual(plain(book[number]!, 88))
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/) // eslint-disable-line no-control-regex
  })

  test.each([
    [['8'], /no page "8": the pages are 0, 1, 2, 3, 4, 5, 6, 7/],
    [['rot'], /no page "rot": did you mean root\?/],
    [['../README'], /no page "\.\.\/README": the pages are/],
    [['--port', '8000'], /--port goes with --serve/],
    [['3', '--serve'], /leave out "3"/],
    [['--serve', '--port', '70000'], /0 to 65535/],
    [['--serve', '--out', 'x'], /cannot be used with/],
  ])('%j is one line, and says what to do', async (args, line) => {
    const { status, stdout, stderr } = await runMinilab(['book', ...args])
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(/^minilab: [^\n]+\n$/)
    expect(stderr).toMatch(line)
  })
})

describe.skipIf(noTmux)(`in a terminal${noTmux}`, () => {
  const env = () => ({ HOME: userFolder(), MINILAB_DATA: userData(), NO_COLOR: '' })

  test('less shows it from the top; q leads back to the shell', async () => {
    const terminal = new Terminal({ ...env(), LESS: '' })
    terminal.type('unset PAGER LESS')
    terminal.minilab('book 3')
    await terminal.shows(/3\. A root file system[^]*\n:/)
    terminal.type('/What the container must not see')
    await terminal.shows(/What the container must not see\n─+\n[^]*\n:/)
    expect(terminal.screen()).not.toMatch(/ESC|\[1m/)
    await terminal.quit()
  })

  test('at 80 columns less shows each line of a recording as one line, and cuts it at the edge', async () => {
    const terminal = new Terminal({ ...env(), LESS: '' }, { columns: 80, rows: 24 })
    terminal.type('unset PAGER LESS')
    terminal.minilab('book 3')
    await terminal.shows(/^3\. A root file system you cannot leave\n━{80}\n[^]*\n:/m)
    terminal.type('/recorded, in part')
    await terminal.shows(/^┌ recorded, in part\n[^]*\n:/m)
    const page = plain(book[3]!, 80)
    const first = page.indexOf('┌ recorded, in part')
    const recording = page.slice(first, page.indexOf('', first))
    expect(Math.max(...recording.map(columns))).toBeGreaterThan(80)
    const edge = (line: string) => (columns(line) > 80 ? `${line.slice(0, 79)}>` : line).trimEnd()
    const lines = terminal.screen().split('\n')
    const seen = lines.slice(lines.lastIndexOf('┌ recorded, in part')).map(line => line.trimEnd())
    expect(seen.slice(0, recording.length)).toEqual(recording.map(edge))
    await terminal.quit()
  })

  test('$PAGER is a command line, and is given colours', async () => {
    const terminal = new Terminal({ ...env(), PAGER: 'cat -v | head -n 3; echo end of the pager' })
    terminal.minilab('book root')
    await terminal.shows(/\^\[\[1m3\. A root file system you cannot leave\^\[\[22m[^]*\nend of the pager/)
  })

  test('a pager that is left early is no error', async () => {
    const terminal = new Terminal({ ...env(), PAGER: 'true' })
    terminal.minilab('book appendix; echo status $?')
    await terminal.shows('status 0')
    expect(terminal.screen()).not.toContain('EPIPE')
  })

  test.each([
    ['--plain', 'echo paged', '--plain'],
    ['an empty PAGER', '', ''],
    ['one that is not there', '/no/such/pager', ''],
    ['one that is no program', '/etc/passwd', ''],
  ])('%s: it is printed', async (_, PAGER, flag) => {
    const terminal = new Terminal({ ...env(), PAGER })
    terminal.minilab(`book 1 ${flag}; echo status $?`)
    await terminal.shows('status 0')
    expect(terminal.screen()).toContain('1. A process, and nothing around it')
    expect(terminal.screen()).not.toContain('paged')
  })

  test('without less on the machine it is printed', async () => {
    const folder = userFolder()
    symlinkSync('/bin/sh', join(folder, 'sh'))
    const terminal = new Terminal(env())
    terminal.type(`unset PAGER; PATH=${folder}`) // here: a login shell sets its own
    terminal.minilab('book 1; echo status $?')
    await terminal.shows('status 0')
    expect(terminal.screen()).toContain('1. A process, and nothing around it')
  })

  test('it is as wide as the window', async () => {
    const terminal = new Terminal({ ...env(), PAGER: 'cat' }, { columns: 50, rows: 40 })
    terminal.minilab('book 3')
    await terminal.shows(/^━{50}$/m)
  })
})
