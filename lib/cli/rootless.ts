/** Whether to do without the machine's root: because we are not root, because it was asked for, or as we are on the bench. */
export function isRootless(asked = false): boolean {
  return asked || process.env.MINILAB_BENCH !== undefined || process.getuid?.() !== 0
}
