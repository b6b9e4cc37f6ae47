// The search of the book: one module, for the terminal and for the site.
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { pages, parse } from '../../lib/book/pages.ts'
import { search, type Section } from '../../lib/book/search.ts'
import { sections } from '../../lib/book/sections.ts'
import { site } from '../../lib/book/site.ts'
import { runMinilab } from '../support/minilab.ts'
import { fixture } from './fixture.ts'

const section = (heading: string, text: string, title = 'A page'): Section => ({
  page: '1-a',
  title,
  heading,
  id: heading.toLowerCase(),
  text,
})
const found = (sections: Section[], query: string) => search(sections, query).map(({ section }) => section)

describe('ranking', () => {
  const inText = section('One', 'the cgroup, cgroup and cgroup again')
  const inHeading = section('A cgroup', 'of the kernel')
  const inTitle = section('The cgroups', 'none', 'The cgroups')
  const nowhere = section('Two', 'nothing of that kind')

  test('title before heading before text', () =>
    expect(found([nowhere, inText, inHeading, inTitle], 'cgroup')).toEqual([inTitle, inHeading, inText]))

  test('a word before the beginning of one, and more often before once', () => {
    const [part, once, often] = [
      section('A', 'rootless'),
      section('B', 'the root'),
      section('C', 'root, root, root'),
    ] as const
    expect(found([part, once, often], 'root')).toEqual([often, once, part])
  })

  test('the end of a word is not found: oom in no room', () =>
    expect(
      found(
        [section('A', 'a room'), section('B', 'cgroup_oom, oom_kill'), section('C', 'the OOM killer')],
        'oom',
      ).map(({ heading }) => heading),
    ).toEqual(['B', 'C']))

  test('the beginning of a word in a heading is still before a text full of it', () => {
    const [heading, text] = [section('rootless', ''), section('B', 'root '.repeat(50))] as const
    expect(found([text, heading], 'root')).toEqual([heading, text])
  })

  test('what is alike stays in the order of the book', () =>
    expect(
      found([section('A', 'word'), section('B', 'word'), section('C', 'word')], 'word').map(s => s.heading),
    ).toEqual(['A', 'B', 'C']))
})

describe('a query', () => {
  const text = section(
    'Limits',
    'The kernel\u2019s memory.max (in bytes) is `64 MiB`; C++ costs $5 [sic] a|b \\ ÄPFEL',
  )

  test.each([
    'memory',
    'MEMORY',
    'memory kernel',
    'kernel  bytes ',
    "kernel's",
    'kernel\u2019s',
    'memory.max',
    'C++',
    '$5',
    '[sic]',
    'a|b',
    '\\',
    '(in',
    'äpfel',
    'limits memory',
    'page memory', // the page's title may have some of the words
  ])('%j finds', query => expect(found([text], query)).toEqual([text]))

  test.each(['', '   ', 'memory swap', 'memoryXmax', '.*', 'page', '[a-z]', 'c+++'])('%j does not', query =>
    expect(found([text], query)).toEqual([]),
  )
})

describe('the snippet', () => {
  const shown = (text: string, query: string) => search([section('H', text)], query)[0]!.snippet

  test('is around most of the words, and marks them', () => {
    const far = `memory ${'x '.repeat(300)} here memory and limit are ${'y '.repeat(300)}`
    const snippet = shown(far, 'limit memory')
    const text = snippet.map(({ text }) => text).join('')
    expect(text).toMatch(/^… .*here memory and limit are.* …$/)
    expect(text.length).toBeLessThan(180)
    expect(snippet.filter(({ hit }) => hit).map(({ text }) => text)).toEqual(['memory', 'limit'])
  })

  test('of a short text is the text', () =>
    expect(shown('Memory, and more', 'memory')).toEqual([
      { text: 'Memory', hit: true },
      { text: ', and more', hit: false },
    ]))

  test('of a match in the heading only is the begin of the text', () =>
    expect(shown('some text', 'h')).toEqual([{ text: 'some text', hit: false }]))

  test('is whole where a text has no blanks', () => {
    const text = shown(`${'a'.repeat(500)}.needle${'b'.repeat(500)}`, 'needle')
    expect(text.map(({ text }) => text).join('')).toContain('needle')
  })

  test('and the heading stay the same texts in fragments', () => {
    const text = 'a.b A.B axb'
    const [found] = search([section(text, text)], 'a.b')
    for (const parts of [found!.heading, found!.snippet]) {
      expect(parts.map(({ text }) => text).join('')).toBe(text)
      expect(parts.filter(({ hit }) => hit)).toHaveLength(2)
    }
  })
})

describe('a typing error', () => {
  const [text, other] = [
    section('Capabilities', 'what the kernel permits, by its capability sets'),
    section('Rooms', 'a room'),
  ] as const

  test.each([
    'capabilites',
    'cpability',
    'capabiltiy',
    'capabillity',
    'xapability',
    'kernl',
    'kernelx',
    'capabilt',
  ])('%s finds the word without it, and marks it', query => {
    expect(found([text, other], query)).toEqual([text])
    const [match] = search([text, other], query)
    expect([...match!.heading, ...match!.snippet].some(({ hit }) => hit)).toBe(true)
  })

  test.each(['capblty', 'kern3ls', 'rom', 'room5', 'oom', 'ooms'])('%s finds none', query =>
    expect(found([text], query)).toEqual([]),
  )

  test('in a word that is there is none', () =>
    expect(
      found([section('A', 'mounts'), section('B', 'counts')], 'count').map(({ heading }) => heading),
    ).toEqual(['B']))
})

describe('what is searched', () => {
  test('sections by their headings, with their code, without comments', () => {
    const page = parse(
      '3-root',
      'before\n\n# T\n\nfirst `code`\n\n## A *b*\n\n| c | d |\n|--|--|\n| e | f |\n\n```text\n┌─┐\n│g├──▶ x\n```\n\n<!-- fact: /h/ -->\n\n## A *b*\n',
    )
    const common = { page: '3-root', title: 'T' }
    expect(sections([page])).toEqual([
      { ...common, heading: 'T', id: '', text: 'before' },
      { ...common, heading: 'T', id: 't', text: 'first code' },
      { ...common, heading: 'A b', id: 'a-b', text: 'c d e f g x' },
      { ...common, heading: 'A b', id: 'a-b-1', text: '' },
    ])
  })

  test('every section of the book is found by its heading, first of all', () => {
    const all = sections(pages())
    expect(all.length).toBeGreaterThan(40)
    for (const { heading } of all) {
      const [first] = search(all, heading) // it, or a title with the same words
      for (const word of heading.toLowerCase().split(' '))
        expect(first?.section.heading.toLowerCase()).toContain(word)
    }
  })
})

test("the browser's script finds exactly what the module finds", () => {
  for (const book of [pages(), fixture]) {
    const files = site(book)
    const script = ['search.js', 'search-index.js'].map(name => String(files.get(`assets/${name}`))).join('')
    for (const query of [
      'root',
      'pivot_root umount2',
      'memory.max',
      'zebra',
      'kernel namespace',
      'nothing-of-it',
      '',
    ]) {
      const there = runInNewContext(
        `${script};JSON.stringify(bookSearch.search(bookSections, ${JSON.stringify(query)}))`,
      )
      expect(JSON.parse(there as string)).toEqual(search(sections(book), query))
    }
  }
})

describe('minilab book --search', () => {
  test('prints page, section, snippet and the command that opens it', async () => {
    const { status, stdout, stderr } = await runMinilab([
      'book',
      '--search',
      'umount2',
      'old',
      'root',
      '--plain',
    ])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^\d+ places? for “umount2 old root”/)
    expect(stdout).toMatch(
      /\npivot_root: nothing left to walk to\n3\. A root file system you cannot leave · minilab book 3\n {4}.*\n/,
    )
    expect(stdout).not.toContain('\u001b')
  })

  test('on one page only that page', async () => {
    const { stdout } = await runMinilab(['book', '4', '--search', 'kernel'])
    expect(stdout).toContain('minilab book 4')
    expect(stdout).not.toMatch(/minilab book [^4]/)
  })

  test('says so where there is nothing', async () => {
    const { status, stdout } = await runMinilab(['book', '--search', 'xyzzy\u001b[2J'])
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: '“xyzzy\\u001b[2J” does not occur in the book.\n',
    })
  })
})
