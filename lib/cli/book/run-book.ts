import { codeOf } from '../../common/error-code.ts'
import { asTyped } from '../../guide/as-typed.ts'
import { once } from 'node:events'
import { relative, resolve } from 'node:path'
import { type Entry, contents, handle, handles } from '../../book/contents.ts'
import { pages } from '../../book/pages.ts'
import { sections } from '../../book/sections.ts'
import type { Files } from '../../book/site.ts'
import { terminalLines } from '../../book/terminal.ts'
import { inkFor, widthFor } from '../../guide/printer.ts'
import { MinilabError } from '../../common/errors.ts'
import { hint } from '../../common/suggest.ts'
import type { BookFlags } from './book.ts'
import { contentsLines, matchLines, nextLines } from './lines.ts'
import { page } from './pager.ts'

const PORT = 8780

/** Shows the book as the flags say; without flags, in the terminal. */
export async function book(word: string | undefined, flags: BookFlags): Promise<void> {
  const { plain = false } = flags
  const entries = contents(pages())
  const look = { ink: inkFor(plain), width: widthFor(plain) }
  if (flags.port !== undefined && !flags.serve)
    throw new MinilabError('usage', '--port goes with --serve', 'minilab book --serve --port N')
  if (word !== undefined && (flags.serve || flags.out !== undefined))
    throw new MinilabError('usage', 'a site always has the whole book', `leave out "${word}"`)

  if (flags.serve) return await serveBook(entries, flags.port ?? PORT)
  if (flags.out !== undefined) return await writeBook(entries, flags.out)
  const entry = word === undefined ? undefined : entryOf(word, entries)
  if (flags.search) {
    const query = flags.search.join(' ')
    const searched = entry ? [entry] : entries
    const lines = matchLines(searched, sections(searched.map(({ page }) => page)), query, look)
    return print(lines)
  }
  if (!entry) return print(contentsLines(entries, look))
  const { highlight } = look.ink.level > 0 ? await import('../../book/highlight.ts') : {}
  const text = [...terminalLines(entry.page, { ...look, highlight }), ...nextLines(entry, entries, look)]
  await page(`${text.join('\n')}\n`, plain)
}

const print = (lines: readonly string[]) => void process.stdout.write(asTyped(`${lines.join('\n')}\n`))

function entryOf(word: string, entries: readonly Entry[]): Entry {
  const found = entries.find(entry => handles(entry).includes(word.toLowerCase()))
  if (found) return found
  const all = `the pages are ${entries.map(handle).join(', ')}`
  const names = entries.flatMap(handles).filter(name => !/^\d+$/.test(name)) // 8 is not a typing error for 0
  throw new MinilabError('usage', `the book has no page "${word}"`, hint(word, names, all))
}

async function serveBook(entries: readonly Entry[], port: number): Promise<void> {
  const [{ serve }, { site }] = await Promise.all([
    import('../../book/serve.ts'),
    import('../../book/site.ts'),
  ])
  const { url, close } = await serve(() => site(entries.map(({ page }) => page)), port).catch(
    (error: unknown) => {
      const code = codeOf(error)
      const other = 'choose another with --port; --port 0 takes any free port'
      if (code === 'EADDRINUSE') throw new MinilabError('usage', `port ${port} is in use`, other)
      if (code === 'EACCES') throw new MinilabError('usage', `port ${port} is for root only`, other)
      throw error
    },
  )
  const ended = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  print([`The book is at ${url}`, 'Ctrl-C ends this.'])
  await ended
  await close()
}

async function writeBook(entries: readonly Entry[], folder: string): Promise<void> {
  // the folder is replaced as a whole, and a shell in it would be left in the old one
  if (!relative(resolve(folder), process.cwd()).startsWith('..'))
    throw new MinilabError('usage', 'the book cannot replace your current folder', 'give another folder')
  const { inTheWay, writeSite } = await import('../../book/write-site.ts')
  const { site } = await import('../../book/site.ts')
  let files: Files | undefined // a second's work, for which most refusals need not wait
  const made = () => (files ??= site(entries.map(({ page }) => page)))
  const foreign = inTheWay(folder, () => made().keys())
  if (foreign !== undefined)
    throw new MinilabError(
      'usage',
      `${foreign} is not part of the book`,
      'give an empty folder, or one that does not exist yet',
    )
  writeSite(made(), folder)
  print([`The book is in ${folder}: open ${folder.replace(/\/+$/, '')}/index.html in a browser.`])
}
