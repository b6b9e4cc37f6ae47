/**
 * The command line that starts minilab again, with other arguments or the same ones. The `--` keeps Node from taking options
 * such as `--env-file` out of the arguments of a container's program.
 */
export function ourselves(
  args: readonly string[] = process.argv.slice(2),
  forNode: readonly string[] = [],
): [program: string, ...args: string[]] {
  return [process.execPath, ...forNode, '--', process.argv[1] ?? '', ...args]
}
