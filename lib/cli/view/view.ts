import type { MinilabCommand } from '../program.ts'
import { MinilabError } from '../../common/errors.ts'
import { quote } from '../../kernel/syscalls/argument-kinds.ts'

const PORT = '7070'

/** `minilab view`: for the projector. */
export function viewCommand(program: MinilabCommand): void {
  program
    .command('view')
    .description('show live, in a browser, what steps, labs and containers do in other terminals')
    .option('--port <number>', 'the port on 127.0.0.1; 0 takes any free one', PORT)
    .addHelpText(
      'after',
      `
Keys on the page:  ← and → go through the stages of a step, F or 1 to 6 shows one card full screen, Esc shows all.
For an audience:   minilab step 4 --pace 10 waits 10 seconds at the end of each stage.
From another machine:  ssh -L ${PORT}:127.0.0.1:${PORT} USER@THIS-MACHINE, then open the printed address there.`,
    )
    .action(async (flags: { port: string }) => {
      const port = portOf(flags.port)
      const { view } = await import('../../look/view/view.ts')
      await view(port, url =>
        console.log(`${url}\nOpen this in a browser on this machine. Ctrl-C ends the view.`),
      )
      if (process.stdout.isTTY) console.log() // end the line on which the terminal has drawn ^C
    })
}

function portOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 2 ** 16) return Number(text)
  throw new MinilabError(
    'usage',
    `--port ${quote(text)} is not a port`,
    `give a number up to 65535, such as ${PORT}`,
  )
}
