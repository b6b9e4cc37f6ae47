import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Chapter } from './chapters.ts'

export const CHAPTER: Chapter = {
  number: 1,
  name: 'demo',
  title: 'A demonstration',
  stages: ['What it is', 'What it does'],
  mutants: ['other-way'],
}

export const PAGE = 'book/1-demo.md'
export const SOURCE = 'lib/demo.ts'

const FILES: Record<string, string> = {
  [SOURCE]: `/** Its comment. */
export function first(a: number): number {
  const b = a + 1
  const c = b * 2
  return c
}

export const parts = {
  one: 1,

  /** The second. */
  two(): number {
    return 2
  },
}

class Box {
  #inside = 3

  open(): number {
    return this.#inside
  }
}

export const box = new Box()
`,
  [PAGE]: `# 1. A demonstration

What is it? See [below](#what-it-does), and the [manual](https://man7.org/linux/man-pages/man2/clone.2.html).

## What it is

A function of ours, in \`lib/demo.ts\`: \`minilab step 1 --yes\` runs it, \`minilab step demo --mutant other-way\` does not. clone(2) may
fail with \`EPERM\`.

\`\`\`ts lib/demo.ts#first

\`\`\`

## What it does

It prints.

\`\`\`console echo limit 67108864; echo pid $$; echo took 12 ms # limit # pid…took
$ echo limit 67108864; echo pid $$; echo took 12 ms
limit 67108864
pid ⟨pid 1⟩
took ⟨time⟩
\`\`\`

<!-- fact: /^limit 67108864$/ -->
<!-- fact: /^pid \\d+$/ -->

\`\`\`text
as drawn
\`\`\`
`,
}

/** A project with a book of one page, in a folder of its own that goes with the test. */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), 'minilab-test-'))

  constructor(files: Record<string, string> = FILES) {
    onTestFinished(() => rmSync(this.folder, { recursive: true }))
    for (const [file, text] of Object.entries(files)) this.write(file, text)
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.folder, file)), { recursive: true })
    writeFileSync(join(this.folder, file), text)
  }

  read(file = PAGE): string {
    return readFileSync(join(this.folder, file), 'utf8')
  }

  edit(file: string, from: string, to: string): void {
    const before = this.read(file)
    if (!before.includes(from)) throw new Error(`${file} has no "${from}"`)
    this.write(
      file,
      before.replace(from, () => to),
    )
  }

  /** The line, counted from 1, on which a text begins. */
  line(text: string): number {
    const at = this.read().indexOf(text)
    if (at === -1) throw new Error(`${PAGE} has no "${text}"`)
    return this.read().slice(0, at).split('\n').length
  }
}
