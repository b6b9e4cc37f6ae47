import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Prints a text: on a terminal through $PAGER or `less -R`, where there is one; otherwise as it is. */
export async function page(text: string, plain: boolean): Promise<void> {
  const { PAGER } = process.env
  const isPaged = !plain && process.stdout.isTTY && PAGER?.trim() !== ''
  if (!isPaged || !(await through(PAGER ?? 'less -R', text))) process.stdout.write(text)
}

/** What a shell gives for a command that is not there, or no program. */
const NO_PROGRAM = [127, 126]

/** False where there is no such pager. */
async function through(command: string, text: string): Promise<boolean> {
  // $PAGER is a command line (environ(7)); LESS lets colours through where it says only `less`, and in the locale C it would
  // show the bytes of what is no ASCII
  const pager = spawn('sh', ['-c', command], {
    stdio: ['pipe', 'inherit', 'ignore'],
    env: { LESS: 'R', LESSCHARSET: 'utf-8', ...process.env },
  })
  const exited = once(pager, 'exit') as Promise<[number | null]>
  pager.stdin.on('error', leftEarly)
  pager.stdin.end(text)
  const ignore = () => {} // Ctrl-C is for the pager, as in man
  process.on('SIGINT', ignore)
  const [status] = await exited
  process.off('SIGINT', ignore)
  return !NO_PROGRAM.includes(status ?? 0)
}

/** Whoever has read enough quits the pager before it has taken all of the text. */
function leftEarly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
