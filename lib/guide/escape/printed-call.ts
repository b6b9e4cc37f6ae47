import { fit } from '../text.ts'
import type { Replayed } from '../../kernel/tape/tape.ts'

/** A call with the kernel's answer: `openat(AT_FDCWD, "/x", O_RDONLY, 0) = -1 ENOENT`. */
export function printedCall({ call, args, result, errno }: Replayed): string {
  const shown = args.replace(/^AT_FDCWD, /, '').replace(/, 0+$/, '')
  return `${call}(${fit(shown, 50)}) = ${errno ? `-1 ${errno}` : (result ?? 0)}`
}

/** The decisive call of this name: the first that was refused, else the last. */
export function telling(calls: readonly Replayed[], name: string): Replayed {
  const named = calls.filter(({ call }) => call === name)
  const found = named.find(({ errno }) => errno !== null) ?? named.at(-1)
  if (!found)
    throw new Error(`${name} is not among the calls of the attack: ${calls.map(c => c.call).join(' ')}`)
  return found
}
