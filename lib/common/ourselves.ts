/**
 * Our own command line, to be started once more: with other words behind `minilab`, or the same ones. Behind `--` they are ours:
 * without it Node takes an option such as `--env-file` from among the arguments of a container's program.
 */
export function ourselves(
  args: readonly string[] = process.argv.slice(2),
  forNode: readonly string[] = [],
): [program: string, ...args: string[]] {
  return [process.execPath, ...forNode, '--', process.argv[1] ?? '', ...args]
}
