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
  const { execa } = await import('execa')
  const ignore = () => {} // Ctrl-C is for the pager, as in man
  process.on('SIGINT', ignore)
  const { exitCode, cause } = await execa('sh', ['-c', command], {
    input: text, // you may quit before the pager has taken all of it
    stdout: 'inherit',
    stderr: 'ignore',
    env: { LESS: 'R', LESSCHARSET: 'utf-8', ...process.env },
    reject: false,
  })
  process.off('SIGINT', ignore)
  if (cause instanceof Error) throw cause
  return !NO_PROGRAM.includes(exitCode ?? 0)
}
