import { fstatSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MinilabError } from '../../common/errors.ts'
import { parseJson } from '../../common/json.ts'
import { integer, listOf, number, object, type Of, optional, text, where } from '../../common/shape.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { processExists } from '../../kernel/process/procfs.ts'

/** A descriptor of a socket or a pipe. Throws where it is not open. */
const open = where(number, fd => {
  const stat = fstatSync(fd)
  return stat.isSocket() || stat.isFIFO()
})

const isHanded = object({
  /** sockets that listen on the host already */
  listeners: listOf(object({ port: integer, fd: open })),
  /** where the id goes once the program runs; closed without a word if it never does */
  notify: optional(open),
  /** the file that takes its output */
  log: optional(where(text, log => dirname(log) === join(dataFolder(), 'logs'))),
  /** who takes back what is left: see RunRequest */
  keeper: optional(where(integer, processExists)),
})

/** What one process of ours tells the next that continues its work: in the sandbox, or in the background. */
export type Handed = Of<typeof isHanded>

/** The environment in which another process of ours continues our work. */
export const handedEnv = (handed: Handed) => ({
  ...process.env,
  MINILAB_DATA: dataFolder(),
  MINILAB_HANDED: JSON.stringify(handed),
})

/** What another process of ours has begun; undefined where there is none. Throws a usage error where it makes no sense. */
export function takeHanded(): Handed | undefined {
  const told = process.env.MINILAB_HANDED
  delete process.env.MINILAB_HANDED
  if (!told) return undefined
  try {
    const handed = parseJson(told, isHanded)
    if (handed) return handed
  } catch {
    // a descriptor that is not open: said below
  }
  throw new MinilabError(
    'usage',
    'MINILAB_HANDED is set, and makes no sense',
    'unset it: it is minilab’s own',
  )
}
