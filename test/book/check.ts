// npm run book:check [-- 3-root …] [-- --code]: says what in the book is not true, and changes nothing.
import { ownFolder } from '../../lib/common/own-folder.ts'
import { checkBook } from './check-book.ts'
import { bookCommand } from './command.ts'
import { notMadeHere } from './page.ts'

await bookCommand(async (asked, notMade) => {
  const { problems, counts } = await checkBook(ownFolder, asked)
  const { pages, blocks, recordings, inGuest, links, names } = counts
  const outcome = problems.length === 0 ? 'all true' : `${problems.length} problems`
  const code = `${blocks} blocks of code, ${recordings} recordings${notMade || notMadeHere(inGuest)}`
  return {
    problems,
    lines: [`${pages} pages: ${code}, ${links} links, ${names} pieces of inline code: ${outcome}`],
  }
})
