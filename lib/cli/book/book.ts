import { InvalidArgumentError, Option } from 'commander'
import type { MinilabCommand } from '../program.ts'

export interface BookFlags {
  search?: string[]
  serve?: boolean
  port?: number
  out?: string
  plain?: boolean
}

/** `minilab book`: the text of the seven steps, here or in a browser. */
export function bookCommand(program: MinilabCommand): void {
  program
    .command('book')
    .description('read the book: the contents, a chapter, or all of it in a browser')
    .argument('[page]', 'its number, 0 to 7, or its name: root, machines, teachers, appendix')
    .option('--search <word...>', 'list where these words occur, in the book or on one page')
    .addOption(
      new Option('--serve', 'serve it to browsers on this machine, until Ctrl-C').conflicts([
        'search',
        'out',
      ]),
    )
    .addOption(
      new Option('--port <n>', 'with --serve: the port, or 0 for any free one').argParser(portNumber),
    )
    .addOption(new Option('--out <dir>', 'write it as a static site').conflicts('search'))
    .option('--plain', 'no colour, no pager; the same width in every window')
    .action(async (page: string | undefined, flags: BookFlags) => {
      const { book } = await import('./run-book.ts')
      await book(page, flags)
    })
}

function portNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text)
  throw new InvalidArgumentError('a port is a number from 0 to 65535.')
}
