import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { ownFolder } from '../../lib/common/own-folder.ts'
import { checkBook } from './check-book.ts'
import { notMadeHere } from './page.ts'
import { print } from './problem.ts'
import { canRecord, cannotRecord, Recorder } from './recording.ts'
import { CHAPTER, PAGE, Project, SOURCE } from './support.ts'
import { syncBook } from './sync-book.ts'
import { thorough } from '../support/minilab.ts'

const CHECK = join(import.meta.dirname, 'check.ts')
/** Of this checkout: what each command prints is recorded once for all tests. */
const recorder = new Recorder(ownFolder)

describe('the book', () => {
  it('says nothing that is not true', async () => {
    const { problems, counts } = await checkBook(ownFolder)
    expect(problems.map(print)).toEqual([])
    expect(counts.pages).toBe(11)
    expect(counts.blocks).toBeGreaterThan(20)
    expect(counts.names).toBeGreaterThan(100)
  })

  it.for(thorough(['commands']))('shows what its %s print', { timeout: 1_200_000 }, async (_, ctx) => {
    ctx.skip(!canRecord, cannotRecord)
    const { problems, counts } = await checkBook(ownFolder, { recorder })
    expect(problems.map(print)).toEqual([])
    expect(counts.recordings).toBeGreaterThan(20)
  })
})

/** Of a machine with cgroup v1 alone, where nothing is to be recorded. */
const unused = new Recorder(ownFolder, {
  cgroup: 1,
  run: ([, , command]) => Promise.reject(new Error(`it has run ${command}`)),
})

/** A project whose book has been filled in. */
async function filled(): Promise<Project> {
  const project = new Project()
  const { problems } = await syncBook(project.folder, { recorder })
  expect(problems.map(print)).toEqual([])
  return project
}

async function check({ folder }: Project): Promise<string[]> {
  const { problems } = await checkBook(folder, { recorder, chapters: [CHAPTER] })
  return problems.map(print)
}

type Edit = [file: string, from: string, to: string]
/** Makes the page's recordings some of cgroup v2, which are not made here. */
const MADE_IN_GUEST: Edit = [PAGE, 'A demonstration\n', 'A demonstration\n\n<!-- recordings: cgroup v2 -->\n']

/** Something that makes a true book false: `at` is the text, in the page as it is then, of the line that is named. */
interface Falsehood {
  edits: Edit[]
  at: string
  says: string
  /** it concerns a recording */
  root?: boolean
}

/** An edit that makes a drawing of the page's block of text. */
const drawn = (...lines: string[]): Falsehood['edits'] => [
  [PAGE, '```text\nas drawn', ['<!-- picture: A box. -->', '```text', ...lines].join('\n')],
]

const COMMAND = 'echo limit 67108864; echo pid $$; echo took 12 ms'
const FENCE = '```ts lib/demo.ts#first'
const CONSOLE = '```console echo limit'

const FALSEHOODS: Record<string, Falsehood> = {
  'a renamed function': {
    edits: [[SOURCE, 'function first', 'function foremost']],
    at: FENCE,
    says: 'lib/demo.ts defines no first',
  },
  'a changed line in a shown function': {
    edits: [[SOURCE, 'b * 2', 'b * 3']],
    at: '  const c = b * 2',
    says: 'the block has "  const c = b * 2" where lib/demo.ts has "  const c = b * 3"',
  },
  'a file that is not there': {
    edits: [[PAGE, FENCE, '```ts lib/dome.ts#first']],
    at: '```ts lib/dome.ts',
    says: 'there is no file lib/dome.ts',
  },
  'words that are not there': {
    edits: [[PAGE, FENCE, `${FENCE}:const b…gone`]],
    at: FENCE,
    says: 'no line of lib/demo.ts#first contains "gone"',
  },
  'a changed output': {
    edits: [[PAGE, '\nlimit 67108864', '\nlimit 67108865']],
    at: 'limit 67108865',
    says: 'the block has "limit 67108865" where echo limit',
    root: true,
  },
  'another exit status': {
    edits: [[PAGE, 'echo took 12 ms', 'echo took 12 ms; exit 3']],
    at: '$ echo limit',
    says: 'echo took 12 ms; exit 3',
    root: true,
  },
  'a fact that does not hold': {
    edits: [[PAGE, '/^limit 67108864$/', '/^limit 33554432$/']],
    at: '<!-- fact: /^limit',
    says: 'does not match /^limit 33554432$/m',
    root: true,
  },
  'a recording without a fact': {
    edits: [
      [PAGE, '<!-- fact: /^limit 67108864$/ -->\n', ''],
      [PAGE, '<!-- fact: /^pid \\d+$/ -->\n', ''],
    ],
    at: CONSOLE,
    says: 'a recording without a fact',
    root: true,
  },
  'a fact that nothing could break': {
    edits: [[PAGE, '/^pid \\d+$/', '/(pid)?/']],
    at: '<!-- fact: /(pid)?/',
    says: 'holds for anything',
  },
  'a fact that is none': {
    edits: [[PAGE, 'fact: /^pid \\d+$/', 'fact: pid']],
    at: '<!-- fact: pid',
    says: 'is no fact',
  },
  'a fact on its own': {
    edits: [[PAGE, '\n## What it does\n', '\n<!-- fact: /x/ -->\n\n## What it does\n']],
    at: '<!-- fact: /x/',
    says: 'a fact without a recording',
  },
  'an output that is another each time': {
    edits: [[PAGE, 'echo took 12 ms', 'echo took $(date +%N)']],
    at: CONSOLE,
    says: 'does not print the same twice',
    root: true,
  },
  'a value as it was printed, where no recording is made': {
    edits: [MADE_IN_GUEST, [PAGE, 'pid ⟨pid 1⟩', 'pid 21007']],
    at: 'pid 21007',
    says: 'the block has "pid 21007" where echo limit',
  },
  'another command above the output, where no recording is made': {
    edits: [MADE_IN_GUEST, [PAGE, '\n$ echo limit', '\n$ echo remit']],
    at: '$ echo remit',
    says: 'the block has "$ echo remit',
  },
  'an output without the words to choose, where no recording is made': {
    edits: [MADE_IN_GUEST, [PAGE, '\ntook ⟨time⟩', '']],
    at: CONSOLE,
    says: 'contains "took"',
  },
  'a fact that is not shown, where no recording is made': {
    edits: [MADE_IN_GUEST, [PAGE, '\nlimit 67108864', '\nlimit 67108865']],
    at: '<!-- fact: /^limit',
    says: 'what is shown of echo limit 67108864; echo pid $$; echo took 12 ms does not match /^limit 67108864$/m',
  },
  'no fact, where no recording is made': {
    edits: [
      MADE_IN_GUEST,
      [PAGE, '<!-- fact: /^limit 67108864$/ -->\n', ''],
      [PAGE, '<!-- fact: /^pid \\d+$/ -->\n', ''],
    ],
    at: CONSOLE,
    says: 'a recording without a fact',
  },
  'recordings of an unknown machine': {
    edits: [MADE_IN_GUEST, [PAGE, 'cgroup v2', 'cgroup v3']],
    at: '<!-- recordings',
    says: 'names no machine',
  },
  'a dead link': {
    edits: [[PAGE, '(#what-it-does)', '(2-gone.md)']],
    at: '(2-gone.md)',
    says: 'there is no book/2-gone.md',
  },
  'a dead anchor': {
    edits: [[PAGE, '(#what-it-does)', '(1-demo.md#what-it-did)']],
    at: '(1-demo.md#what-it-did)',
    says: 'has no heading for #what-it-did',
  },
  'a link without encryption': { edits: [[PAGE, 'https:', 'http:']], at: 'http:', says: 'use https' },
  'a link to a stranger': {
    edits: [[PAGE, 'man7.org', 'example.org']],
    at: 'example.org',
    says: 'example.org is not among the hosts',
  },
  'a flag that does not exist': {
    edits: [[PAGE, '--yes', '--yse']],
    at: '--yse',
    says: 'minilab step has no flag --yse: did you mean --yes?',
  },
  'a lone flag that does not exist': {
    edits: [[PAGE, '`EPERM`', '`--with-out`']],
    at: '--with-out',
    says: 'no command has a flag --with-out',
  },
  'a flag that another tool does not have': {
    edits: [[PAGE, '`EPERM`', '`docker run --privilegd x`']],
    at: 'docker',
    says: 'did you mean --privileged?',
  },
  'an unknown command': {
    edits: [[PAGE, '`EPERM`', '`sudo ./minilab stpe 3`']],
    at: 'stpe',
    says: 'did you mean step?',
  },
  'an unknown command in a shell block': {
    edits: [[PAGE, '```text\nas drawn', '```sh\nminilab pss']],
    at: 'minilab pss',
    says: 'did you mean ps?',
  },
  'an unknown chapter': {
    edits: [[PAGE, '`EPERM`', '`minilab lab 8`']],
    at: 'lab 8',
    says: 'there is no chapter "8"',
  },
  'an unknown mutant': {
    edits: [[PAGE, '--mutant other-way', '--mutant other-wy']],
    at: '--mutant other-wy',
    says: 'did you mean other-way?',
  },
  'an unknown file': {
    edits: [[PAGE, '`lib/demo.ts`', '`lib/dome.ts`']],
    at: '`lib/dome.ts`',
    says: 'there is no lib/dome.ts',
  },
  'an unknown symbol of a file': {
    edits: [[PAGE, '`lib/demo.ts`', '`lib/demo.ts#last`']],
    at: '`lib/demo.ts#last`',
    says: 'defines no last',
  },
  "a file's line": {
    edits: [[PAGE, '`lib/demo.ts`', '`lib/demo.ts:2`']],
    at: '`lib/demo.ts:2`',
    says: 'names a line, which will move',
  },
  'an errno that does not exist': {
    edits: [[PAGE, 'EPERM', 'EPREM']],
    at: 'EPREM',
    says: 'there is no errno EPREM',
  },
  'a ts block from nowhere': {
    edits: [[PAGE, '```text', '```ts']],
    at: '```ts\n',
    says: 'does not say where it is from',
  },
  'an empty block': { edits: [[PAGE, 'as drawn\n', '']], at: '```text', says: 'an empty block' },
  'a block that does not end': {
    edits: [[PAGE, 'as drawn\n```\n', 'as drawn\n']],
    at: '```text',
    says: 'does not end',
  },
  'a drawing without a picture comment': {
    edits: [[PAGE, 'as drawn', '┌───┐\n└───┘']],
    at: '```text',
    says: 'a drawing without a picture comment',
  },
  'a picture comment without a drawing': {
    edits: [[PAGE, '```text', '<!-- picture: A box. -->\n```text']],
    at: '<!-- picture',
    says: 'a picture comment without a drawing',
  },
  'a drawing that is too wide': {
    edits: drawn(`┌${'─'.repeat(75)}┐`, `└${'─'.repeat(75)}┘`),
    at: '┌───',
    says: 'a line of a drawing has 77 columns: at most 76 fit',
  },
  'a box whose text has grown': {
    edits: drawn('┌──────┐', '│ word  │', '│ word │', '└──────┘'),
    at: '│ word  │',
    says: 'the "│" in column 9 joins nothing below it',
  },
  'a box whose side has been written over': {
    edits: drawn('┌──────┐', '│ a long one', '└──────┘'),
    at: '└───',
    says: 'the "┘" in column 8 joins nothing above it',
  },
  'a box that has lost a corner': {
    edits: drawn('┌──────', '│ word │', '└──────┘'),
    at: '┌───',
    says: 'the "─" in column 7 joins nothing to its right',
  },
  'a divider that is too long': {
    edits: drawn('┌──────┐', '│ word │', '├───────┤', '│ word │', '└──────┘'),
    at: '├───',
    says: 'the "┤" in column 9 joins nothing above it',
  },
  'a line that a box does not take up': {
    edits: drawn('  │  ', '┌─┬─┐', '└───┘', '  │  ').map(([file, from, to]) => [
      file,
      from,
      to.replace('┬', '─'),
    ]),
    at: '  │  \n┌',
    says: 'the "│" in column 3 joins nothing below it',
  },
  'a stage without a section': {
    edits: [[PAGE, '## What it does', '## What it did']],
    at: '## What it is',
    says: 'there is no section "What it does"',
  },
  'a section without a paragraph': {
    edits: [[PAGE, 'It prints.\n', '']],
    at: '## What it does',
    says: 'does not begin with a paragraph',
  },
  'sections in another order': {
    edits: [
      [PAGE, '## What it is', '## x'],
      [PAGE, '## What it does', '## What it is'],
      [PAGE, '## x', '## What it does'],
    ],
    at: '## What it does',
    says: '"What it does" comes too early',
  },
  "another title than the step's": {
    edits: [[PAGE, '# 1. A demonstration', '# 1. Demonstration']],
    at: '# 1.',
    says: 'it is that of the step: "1. A demonstration"',
  },
}

/** Words that the book and the messages do without, and what is proposed. */
const WORDS: Record<string, string> = {
  whoever: 'name the person, such as "the caller"',
  somebody: 'name the person, or write "someone"',
  nobody: 'name the person, or write "no one"',
  shall: 'write "must", "should" or "will"',
  mend: 'write "fix", "repair" or "correct"',
  mended: 'write "fix", "repair" or "correct"',
  anew: 'write "again"',
  therein: 'write "in it"',
  'that one': 'name the thing',
  'of its own': 'write "its own …", "your own …"',
  'of their own': 'write "its own …", "your own …"',
  '\u2019': "write the straight one: '",
}

describe('book:check', () => {
  it('finds nothing in a book that is true', async () => {
    const project = await filled()
    expect(await check(project)).toEqual([])
  })

  it.for(Object.entries(FALSEHOODS))('sees %s, and says where', async ([, falsehood], ctx) => {
    ctx.skip(!!falsehood.root && !canRecord, cannotRecord)
    const project = await filled()
    for (const edit of falsehood.edits) project.edit(...edit)
    const problems = await check(project)
    const place = `${PAGE}:${project.line(falsehood.at)}: `
    expect(problems.filter(problem => problem.startsWith(place)).join('\n')).toContain(falsehood.says)
  })

  it.for(Object.entries(WORDS))(
    'sees the words "%s", in the book and in strings',
    async ([words, remedy]) => {
      const project = await filled()
      const written = words.replace(' ', '\n')
      project.edit(PAGE, 'It prints.', `It prints what\n${written} is.`)
      project.write('chapters/demo.ts', 'export const said = `it is ${1}\n  ' + words + '`\n')
      const says = `"${words}" is not in plain English: ${remedy}`
      const places = [`${PAGE}:${project.line(written)}`, 'chapters/demo.ts:2']
      expect(await check(project)).toEqual(places.map(place => `${place}: ${says}`))
    },
  )

  it('leaves out code, names of programs and comments when it looks at words', async () => {
    const project = await filled()
    project.edit(
      PAGE,
      'It prints.',
      'It prints `nobody`, an `id -u nobody` and <!-- nobody --> that `x` one.',
    )
    project.write('lib/other.ts', "const nobody = 'the user `nobody`, or that one of them' // nobody\n")
    expect(await check(project)).toEqual([])
  })

  it('sees that an exception is no longer needed', async () => {
    const project = await filled()
    project.write('lib/image/default-recipe.ts', "export const passwd = 'root:x:0:0'\n")
    expect(await check(project)).toEqual([
      expect.stringMatching(/^lib\/image\/default-recipe\.ts:1: .*remove the exception/),
    ])
  })

  it('takes a drawing as it may be: trees, arrows, crossing lines, words at the ends of lines', async () => {
    const project = await filled()
    const edits = drawn(
      '   word              ─ ─ ─▶ word',
      '    │     ┌─────┐',
      ' ┌──▼──┬──┊──┐  │    root',
      ' │ one │  ┊  ├──┘    ├── a',
      ' └─┬───┴──▲──┘       │   └── b',
      '   │      │          └── c → d',
      ' a word   └──▶ x   ═════',
      '┌─ host ─┐',
      '└────────┘',
    )
    for (const edit of edits) project.edit(...edit)
    expect(await check(project)).toEqual([])
  })

  it('leaves out the recordings of cgroup v2, and says so', async () => {
    const project = await filled()
    project.edit(...MADE_IN_GUEST)
    const { problems, counts } = await checkBook(project.folder, { recorder: unused, chapters: [CHAPTER] })
    expect(problems.map(print)).toEqual([])
    expect([counts.recordings, counts.inGuest]).toEqual([1, 1])
    expect(notMadeHere(counts.inGuest)).toBe(
      ' (not run: 1 that show cgroup v2, which npm run test:vm -- --book check runs)',
    )
  })

  it('compares them with what a machine with cgroup v2 prints, and leaves out the others there', async () => {
    const project = await filled()
    const other = 'book/2-next.md'
    project.write(
      other,
      project.read().replace('# 1.', '# 2.').replace('limit 67108864\npid', 'limit 1\npid'),
    )
    project.edit(...MADE_IN_GUEST)
    const output = 'limit 67108864\npid 21007\nand more\ntook 3 ms\n'
    const there = new Recorder(ownFolder, { cgroup: 2, run: async () => ({ output, status: 0 }) })
    const chapters = [CHAPTER, { ...CHAPTER, number: 2, name: 'next' }]
    const { problems } = await checkBook(project.folder, { recorder: there, chapters })
    expect(problems.map(print)).toEqual([
      `${PAGE}:${project.line('took ⟨time⟩')}: the block has "took ⟨time⟩" where ${COMMAND} has "and more": npm run test:vm -- --book sync fills it in; read the text around it again`,
    ])
  })

  it('names all problems, not only the first', async () => {
    const project = await filled()
    project.edit(PAGE, 'EPERM', 'EPREM')
    project.edit(PAGE, '--yes', '--yse')
    project.edit(SOURCE, 'b * 2', 'b * 3')
    expect(await check(project)).toHaveLength(3)
  })

  it('says in one line what is wrong with its own command line', async () => {
    for (const [word, remedy] of [
      ['3-rot', 'did you mean 3-root?'],
      ['--cod', 'there is --code'],
    ] as const) {
      const { exitCode, stderr } = await execa({ reject: false })`${process.execPath} ${CHECK} ${word}`
      expect([exitCode, stderr.split('\n').length]).toEqual([2, 1])
      expect(stderr).toContain(remedy)
    }
  })

  it('misses the page of a step', async () => {
    const project = await filled()
    const { problems } = await checkBook(project.folder, {
      chapters: [CHAPTER, { ...CHAPTER, number: 2, name: 'next' }],
    })
    expect(problems.map(print)).toEqual([
      'book/2-next.md:1: there is no such page: each step has its chapter',
    ])
  })
})
