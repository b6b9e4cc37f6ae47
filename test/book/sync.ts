// npm run book:sync [-- 3-root …] [-- --code]: fills in the code and the recordings of the book.
import { ownFolder } from '../../lib/common/own-folder.ts'
import { bookCommand } from './command.ts'
import { notMadeHere } from './page.ts'
import { syncBook } from './sync-book.ts'

await bookCommand(async (asked, notMade) => {
  const { written, inGuest, problems } = await syncBook(ownFolder, asked)
  const total = `${written.length} blocks filled in${notMade || notMadeHere(inGuest)}, ${problems.length} problems`
  return { problems, lines: [...written.map(place => `${place}: filled in`), total] }
})
