// An ordinary user who runs an engine.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** The user whom .ci/run adds, with a range of ids in /etc/subuid. */
export const USER = 'minilab-ci'
const CHECKOUT = join(import.meta.dirname, '../..')

/** Why there is no such user; empty if there is. */
export const lackingUser = () =>
  spawnSync('getent', ['passwd', USER]).status === 0 ? '' : ` (needs the user ${USER})`

/**
 * The command that runs a script as that user, in `folder`, where the checkout is `minilab`: they can reach it there. `before` is done by
 * root, in the same mount namespace.
 */
export function asUser(folder: string, script: string, before = ':'): [string, ...string[]] {
  const mounted = `${before}; mount --bind "$0" ${join(folder, 'minilab')}; cd ${folder}; exec setpriv --reuid ${USER} --regid ${USER} --init-groups sh -c "$1"`
  return ['unshare', '-m', 'sh', '-c', mounted, CHECKOUT, script]
}
