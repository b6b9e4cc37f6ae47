/** Prints a text: on a terminal through $PAGER or `less -RS` if there is one, otherwise as it is. */
export async function page(text: string, plain: boolean): Promise<void> {
  const { PAGER } = process.env
  const isPaged = !plain && process.stdout.isTTY && PAGER?.trim() !== ''
  if (!isPaged || !(await through(PAGER ?? 'less -RS', text))) process.stdout.write(text)
}

/** The exit status of a shell for a command that does not exist or cannot be executed. */
const NO_PROGRAM = [127, 126]

/** False if there is no such pager. */
async function through(command: string, text: string): Promise<boolean> {
  // $PAGER is a command line (environ(7)). If it is just `less`, LESS lets colours through and does not fold the lines of
  // code and recordings, which the arrow keys move sideways; in the C locale less would print non-ASCII text as byte values
  const { execa } = await import('execa')
  const ignore = () => {} // Ctrl-C goes to the pager, as in man
  process.on('SIGINT', ignore)
  const { exitCode, cause } = await execa('sh', ['-c', command], {
    input: text, // you may quit before the pager has read all of it
    stdout: 'inherit',
    stderr: 'ignore',
    env: { LESS: 'RS', LESSCHARSET: 'utf-8', ...process.env },
    reject: false,
  })
  process.off('SIGINT', ignore)
  if (cause instanceof Error) throw cause
  return !NO_PROGRAM.includes(exitCode ?? 0)
}
