import { describe, expect, it } from 'vitest'
import { ownFolder } from '../../lib/common/own-folder.ts'
import { print } from './problem.ts'
import { canRecord, Recorder } from './recording.ts'
import { PAGE, Project, SOURCE } from './support.ts'
import { syncBook } from './sync-book.ts'

const recorder = new Recorder(ownFolder)
const page = (code: string) => ({ [PAGE]: `# 1. Code\n\n${code}\n\nAfter it.\n` })

/** The block that an info string is filled in with, from the project's source. */
async function filledWith(info: string): Promise<string> {
  const project = new Project({ [SOURCE]: new Project().read(SOURCE), ...page(`\`\`\`${info}\n\`\`\``) })
  const { problems } = await syncBook(project.folder, {})
  expect(problems.map(print)).toEqual([])
  return project.read().split('\n').slice(3, -4).join('\n')
}

describe('book:sync fills in', () => {
  it('a definition, without its comment', async () => {
    const lines = [
      'export function first(a: number): number {',
      '  const b = a + 1',
      '  const c = b * 2',
      '  return c',
      '}',
    ]
    expect(await filledWith('ts lib/demo.ts#first')).toBe(lines.join('\n'))
  })

  it('members of objects and classes, at the left margin', async () => {
    expect(await filledWith('ts lib/demo.ts#parts.two')).toBe('two(): number {\n  return 2\n},')
    expect(await filledWith('ts lib/demo.ts#Box.open')).toBe('open(): number {\n  return this.#inside\n}')
    expect(await filledWith('ts lib/demo.ts#Box.#inside')).toBe('#inside = 3')
  })

  it('parts, with … for what is left out between them', async () => {
    expect(await filledWith('ts lib/demo.ts#first:function | return')).toBe(
      'export function first(a: number): number {\n  …\n  return c',
    )
    expect(await filledWith('ts lib/demo.ts#first:const b…const c')).toBe('const b = a + 1\nconst c = b * 2')
    expect(await filledWith('ts lib/demo.ts#first:const c…')).toBe('  const c = b * 2\n  return c\n}')
  })

  it('several definitions in one block', async () => {
    expect(await filledWith('ts lib/demo.ts#box | lib/demo.ts#parts.one')).toBe(
      'export const box = new Box()\n\none: 1,',
    )
  })

  it('files that are not TypeScript', async () => {
    expect(await filledWith('text lib/demo.ts#Its comment')).toBe('/** Its comment. */')
  })
})

describe('book:sync', () => {
  it('writes bodies and nothing else, and the second time nothing', async () => {
    const project = new Project()
    if (canRecord) project.edit(PAGE, '\nlimit 67108864', '\nlimit 33554432')
    const before = project.read()
    const first = await syncBook(project.folder, { recorder })
    const after = project.read()
    const outside = (text: string) => text.replace(/^(```.+)\n[^]*?^```$/gm, '$1')
    expect(first.written).toHaveLength(canRecord ? 2 : 1)
    expect(outside(after)).toBe(outside(before))
    expect((await syncBook(project.folder, { recorder })).written).toEqual([])
    expect(project.read()).toBe(after)
  })

  it('leaves other pages alone', async () => {
    const other = 'book/2-next.md'
    const project = new Project()
    project.write(other, project.read())
    const { written } = await syncBook(project.folder, { only: ['2-next'] })
    expect(written).toEqual([`${other}:${project.line('```ts')}`])
    await expect(syncBook(project.folder, { only: ['2-nxt'] })).rejects.toThrow('the book has no page 2-nxt')
  })

  it('does not overwrite what an author has written while it recorded', async () => {
    const block = '```console uname\n```\n\n<!-- fact: /^Linux$/ -->'
    const project = new Project(page(`<!-- recordings: cgroup v2 -->\n\n${block}`))
    const run = async () => {
      project.write(PAGE, `${project.read()}\nMore.\n`)
      return { output: 'Linux\n', status: 0 }
    }
    const slow = new Recorder('/minilab', { cgroup: 2, run })
    const { written, problems } = await syncBook(project.folder, { recorder: slow })
    expect([written, problems.map(({ what }) => what)]).toEqual([[], ['the page has changed meanwhile']])
    expect(project.read()).toContain('\nMore.\n')
  })

  it('records cgroup v2 on another machine, and only that', async () => {
    const block = '```console uname # Linux\n```\n\n<!-- fact: /^Linux$/ -->'
    const project = new Project(page(`<!-- recordings: cgroup v2 -->\n\n${block}`))
    project.write('book/2-next.md', project.read().replace('<!-- recordings: cgroup v2 -->\n\n', ''))
    const before = project.read('book/2-next.md')
    const asked: string[][] = []
    const run = async (args: string[]) => {
      asked.push(args)
      return { output: 'Linux\n', status: 0 }
    }
    const there = new Recorder('/minilab', { cgroup: 2, seconds: 7, run })
    const { written, inGuest, problems } = await syncBook(project.folder, { recorder: there })
    expect([problems, inGuest, written]).toEqual([[], 1, [`${PAGE}:${project.line('```console')}`]])
    expect(project.read()).toContain('\n$ uname\nLinux\n```\n')
    expect(project.read('book/2-next.md')).toBe(before)
    // news, and so twice
    expect(asked).toEqual(Array(2).fill(['/minilab', '7', 'uname']))
  })

  it.skipIf(!canRecord)('records what a terminal would show, and the exit status', async () => {
    const command = 'echo out; echo err >&2; echo out again; exit 3'
    const project = new Project(page(`\`\`\`console ${command}\n\`\`\`\n\n<!-- fact: /^err$/ -->`))
    expect((await syncBook(project.folder, { recorder })).problems).toEqual([])
    expect(project.read()).toContain(`\n$ ${command}\nout\nerr\nout again\n[exit status 3]\n\`\`\`\n`)
  })

  it.skipIf(!canRecord)('does not write a recording whose fact does not hold', async () => {
    const project = new Project()
    project.edit(PAGE, '/^limit 67108864$/', '/^limit 33554432$/')
    const { written, problems } = await syncBook(project.folder, { recorder })
    expect(written).toEqual([`${PAGE}:${project.line('```ts')}`])
    expect(problems.map(({ line }) => line)).toEqual([project.line('<!-- fact: /^limit')])
  })

  it.skipIf(!canRecord)(
    'gives a process the same name in all recordings of a command on a page',
    async () => {
      const command = 'echo one $$; sh -c "echo two \\$\\$; echo three $$"'
      const block = (words: string) => `\`\`\`console ${command} # ${words}\n\`\`\`\n\n<!-- fact: /one/ -->`
      const project = new Project(page(`${block('two')}\n\n${block('one')}\n\n${block('three')}`))
      expect((await syncBook(project.folder, { recorder })).problems).toEqual([])
      expect(project.read().match(/^(one|two|three) .*$/gm)).toEqual([
        'two ⟨pid 1⟩',
        'one ⟨pid 2⟩',
        'three ⟨pid 2⟩',
      ])
    },
  )
})
