/** Whether the tests run as root: what they do to other users' namespaces, or as another user, needs that. */
export const isRoot = process.geteuid?.() === 0
