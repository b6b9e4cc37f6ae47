import { readMerged } from '../image/merged-file.ts'
import { isKind, MinilabError } from '../common/errors.ts'
import { quote } from '../kernel/syscalls/argument-kinds.ts'

/** The last of the 2^32 ids is not usable: setresuid(2) takes it, -1, as "leave it as it is". */
const LAST_ID = 4294967294
const MAX_SIZE = 1 << 20 // bytes of a passwd or group file

/** Who a program runs as: ids, the supplementary groups from /etc/group, and the home directory. */
export interface Account {
  uid: number
  gid: number
  additionalGids: number[]
  home: string
}

/**
 * `-u NAME|UID[:GROUP|GID]`: digits are an id, even if an account has such a name; names come from the image's /etc/passwd and
 * /etc/group. An id without an account has the home / and no groups. Throws a usage error.
 */
export function user(text: string, layersTopFirst: readonly string[]): Account {
  const [given = '', group, ...more] = text.split(':')
  const name = given === '' && group ? '0' : given.replace(/^0+(?=\d+$)/, '') // as Docker: `-u :5` is root with group 5
  if (!name || group === '' || more.length)
    throw new MinilabError(
      'usage',
      `-u ${quote(text)} is not a user`,
      'write a name or a number, optionally followed by :group',
    )
  const account =
    number(name) === undefined ? lookUp('passwd', name, layersTopFirst) : known(name, layersTopFirst)
  const uid = number(name) ?? account?.[2]
  if (uid === undefined)
    throw new MinilabError(
      'usage',
      `there is no user ${quote(name)} in the image's /etc/passwd`,
      'give a number',
    )
  const gid =
    group === undefined
      ? (account?.[3] ?? '0')
      : (number(group) ?? lookUp('group', group, layersTopFirst)?.[2])
  if (gid === undefined)
    throw new MinilabError(
      'usage',
      `there is no group ${quote(group ?? '')} in the image's /etc/group`,
      'give a number',
    )
  return {
    uid: id(uid, text),
    gid: id(gid, text),
    // as Docker: a given group replaces those in the file
    additionalGids: group === undefined && account?.[0] ? groupsOf(account[0], gid, layersTopFirst) : [],
    home: account?.[5] || '/',
  }
}

const number = (text: string) => (/^\d+$/.test(text) ? text : undefined)

const isId = (text: string) => /^\d{1,10}$/.test(text) && Number(text) <= LAST_ID

/** An id that the kernel accepts: a larger number would be cut to 32 bits, and could mean root. */
function id(digits: string, text: string): number {
  if (isId(digits)) return Number(digits)
  throw new MinilabError(
    'usage',
    `-u ${quote(text)}: ${quote(digits)} is not an id`,
    `give a number up to ${LAST_ID}`,
  )
}

/** The account of an id. The id works without the file, so a damaged file counts as having no accounts. */
function known(digits: string, layersTopFirst: readonly string[]): string[] | undefined {
  try {
    return lookUp('passwd', digits, layersTopFirst)
  } catch (error) {
    if (isKind(error, 'usage')) return undefined
    throw error
  }
}

/** The line with an id (if given as digits) or a name, in the image's own passwd or group file. */
function lookUp(file: string, word: string, layersTopFirst: readonly string[]): string[] | undefined {
  const field = number(word) === undefined ? 0 : 2
  return lines(file, layersTopFirst).find(fields => fields[field] === word)
}

/** group(5): the groups that list a user as a member, except the user's own. A damaged line is skipped. */
function groupsOf(name: string, own: string, layersTopFirst: readonly string[]): number[] {
  const found = lines('group', layersTopFirst).filter(
    ([, , gid = '', members = '']) => members.split(',').includes(name) && gid !== own && isId(gid),
  )
  return [...new Set(found.map(([, , gid]) => Number(gid)))]
}

/** The fields of each line. A line with a NUL names no account: it would end the home directory in the middle. */
const lines = (file: string, layersTopFirst: readonly string[]): string[][] =>
  (readMerged(layersTopFirst, `etc/${file}`, MAX_SIZE)?.split('\n') ?? [])
    .filter(line => !line.includes('\0'))
    .map(line => line.split(':'))
