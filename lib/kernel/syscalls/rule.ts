import { existsSync, statSync } from 'node:fs'
import { status } from '../process/procfs.ts'
import type { Diagnosis } from './syscall-error.ts'
import type { Op } from '../tape/tape.ts'

/** Why a call was refused, as far as its arguments, the earlier calls on the same tape and the machine's state tell. */
export type Rule = (args: readonly unknown[], earlier: readonly Op[]) => Diagnosis | undefined

export const say =
  (cause: string, remedy: string): Rule =>
  () => ({ cause, remedy })

/** Gives `say` if a condition on the arguments, the earlier calls or the machine holds. */
export const when =
  (condition: (...given: Parameters<Rule>) => boolean, cause: string, remedy: string): Rule =>
  (args, earlier) =>
    condition(args, earlier) ? { cause, remedy } : undefined

export const did = (
  call: string,
  earlier: readonly Op[],
  test: (args: readonly unknown[]) => boolean = () => true,
) => earlier.some(op => op.call === call && test(op.args))

export const isFile = (path: unknown) =>
  typeof path === 'string' && existsSync(path) && !statSync(path).isDirectory()

export const flag = (args: readonly unknown[], bit: number, at = 0) =>
  (BigInt(Number(args[at])) & BigInt(bit)) !== 0n

/** Whether we lack CAP_SYS_ADMIN: capabilities(7). */
export const lacksSysAdmin = () => (BigInt('0x' + (status('self').CapEff ?? '0')) & (1n << 21n)) === 0n

export const NEEDS_ROOT =
  'run it with sudo, or with --rootless: a user namespace gives you the rights over its own namespaces'
