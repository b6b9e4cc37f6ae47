import { constants, existsSync } from 'node:fs'
import { mayAccess } from '../kernel/process/access.ts'
import { MinilabError } from '../common/errors.ts'
import { isCheckout, ownFolder } from '../common/own-folder.ts'
import { bringEarly } from './early-predictions.ts'
import { findWorkspace, initWorkspace, MINE, type Workspace } from './workspace.ts'

/**
 * The workspace for a command. Adds missing files and the predictions that were made before there was one; a checkout without a
 * workspace gets its `mine/`. Throws a usage error if there is none, or it cannot be written.
 */
export function openWorkspace(): Workspace {
  const workspace = complete()
  bringEarly(workspace)
  return workspace
}

function complete(): Workspace {
  const found = findWorkspace()
  if (found) return initWorkspace(found.folder).workspace
  const named = process.env.MINILAB_WORKSPACE
  if (named)
    throw new MinilabError(
      'usage',
      `MINILAB_WORKSPACE is ${named}, which is no workspace`,
      `minilab init ${named} makes it one`,
    )
  if (isCheckout && mayAccess(existsSync(MINE) ? MINE : ownFolder, constants.W_OK))
    return initWorkspace(MINE).workspace
  throw new MinilabError('usage', 'there is no workspace here or above', 'minilab init DIR makes one')
}
