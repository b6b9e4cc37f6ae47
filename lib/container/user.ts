import { readMerged } from '../image/merged-file.ts'
import { UsageError } from '../kernel/errors.ts'
import { quote } from '../kernel/kinds.ts'

/** Of the four thousand million ids the last is none: setresuid(2) takes it, -1, as "leave it as it is". */
const LAST_ID = 4294967294
const MOST = 1 << 20 // bytes of a passwd or group file

/** `-u NAME|UID[:GROUP|GID]`: numbers as they are, names from the image's /etc/passwd and /etc/group. Throws a UsageError. */
export function user(text: string, layersTopFirst: readonly string[]): { uid: number; gid: number } {
  const [name = '', group, ...more] = text.split(':')
  if (!name || group === '' || more.length)
    throw new UsageError(`-u ${quote(text)} is no user`, 'write a name or number, and :group behind it')
  const account = group !== undefined && number(name) ? undefined : lookUp('passwd', name, layersTopFirst)
  const uid = number(name) ?? account?.[2]
  if (uid === undefined)
    throw new UsageError(`there is no user ${quote(name)} in the image’s /etc/passwd`, 'give a number')
  const gid =
    group === undefined
      ? (account?.[3] ?? '0')
      : (number(group) ?? lookUp('group', group, layersTopFirst)?.[2])
  if (gid === undefined)
    throw new UsageError(`there is no group ${quote(group ?? '')} in the image’s /etc/group`, 'give a number')
  return { uid: id(uid, text), gid: id(gid, text) }
}

const number = (text: string) => (/^\d+$/.test(text) ? text : undefined)

/** An id as the kernel takes it: one more than the last would be cut to 32 bits, and mean root. */
function id(digits: string, text: string): number {
  if (/^\d{1,10}$/.test(digits) && Number(digits) <= LAST_ID) return Number(digits)
  throw new UsageError(`-u ${quote(text)}: ${quote(digits)} is no id`, `give a number up to ${LAST_ID}`)
}

/** The line of a name (or of an id, in its third field) in the image's own passwd or group. */
function lookUp(file: string, name: string, layersTopFirst: readonly string[]): string[] | undefined {
  return readMerged(layersTopFirst, `etc/${file}`, MOST)
    ?.split('\n')
    .map(line => line.split(':'))
    .find(fields => fields[0] === name || fields[2] === name)
}
