import { expect, test } from 'vitest'
import type { Reason, Task } from '../../lib/labs/exercise.ts'
import { diffTapes } from '../../lib/labs/tape-diff.ts'

const task = (id: string): Task => ({ id, title: id, text: '', checks: [], hints: ['', '', ''] })
const tasks = [task('pivot'), task('proc'), task('dev')]
const reasons: Reason[] = [
  { call: 'umount2(', task: 'pivot', why: 'Only then it is gone.' },
  { call: 'mount("proc"', task: 'proc', why: 'While another is in sight.' },
  { call: 'mount("tmpfs"', task: 'dev', why: 'Of its own.' },
]
const REFERENCE = ['pivot_root(".", ".")', 'mount("proc", "/proc")', 'umount2(".")', 'mount("tmpfs", "/dev")']
const at = (line: number) => ({ file: '3-root.ts', line, text: '' })
const diff = (calls: string[], id = 'dev', refused?: { what: string; line: number }, reference = REFERENCE) =>
  diffTapes(
    calls.map((call, i) => ({ call, at: at(i + 10) })),
    reference,
    { reasons, tasks },
    task(id),
    refused && { what: refused.what, at: at(refused.line), remedy: '' },
  )

test('the same tape has no difference', () => {
  const { rows, first } = diff(REFERENCE)
  expect(first).toBe(undefined)
  expect(rows.map(({ yours, reference }) => yours?.call === reference)).toEqual([true, true, true, true])
})

test('a call that is missing is named, with the one before it, and the reason', () => {
  expect(diff(REFERENCE.toSpliced(2, 1)).first).toBe(
    'The reference also calls `umount2(".")` after `mount("proc", "/proc")`. Only then it is gone.',
  )
})

test('a call in another place is named with its line', () => {
  const [pivot, proc, umount, dev] = REFERENCE as [string, string, string, string]
  expect(diff([pivot, umount, proc, dev]).first).toBe(
    'You call `umount2(".")` (line 11) earlier than the reference, which does it after `mount("proc", "/proc")`; another order may be right as well. Only then it is gone.',
  )
})

test('a call with other arguments is said in one sentence', () => {
  expect(diff(REFERENCE.with(2, 'umount2("/")')).first).toBe(
    'You call `umount2("/")` (line 12), the reference `umount2(".")`. Only then it is gone.',
  )
})

test('of long calls the part is shown in which they differ, also where it ends one long argument', () => {
  const mount = (options: string) =>
    `mount("overlay", rootfs, "overlay", 0, "lowerdir=/data/layers/25ce70e40b78/diff,upperdir=/data/upper,${options}")`
  const reference = [mount('workdir=/data/work,userxattr')]
  expect(diff([mount('workdir=/data/work,xattr')], 'dev', undefined, reference).first).toMatch(
    /^You call `mount\(… \S+work,xattr"\)` \(line 10\), the reference `mount\(… \S+work,userxattr"\)`/,
  )
  const execve = (args: string) =>
    `execve("/bin/sh", ["/bin/sh", "-s", "--", "one", "two words", ${args}], env)`
  expect(diff([execve('"3"')], 'dev', undefined, [execve('""')]).first).toBe(
    'You call `execve(… "3"], env)` (line 10), the reference `execve(… ""], env)`.',
  )
})

test('a call too many is named', () => {
  expect(diff([...REFERENCE, 'chdir("/")']).first).toBe(
    'You call `chdir("/")` (line 14), the reference does not; one call more may be right as well.',
  )
})

test('a call too many is named only after one that is missing, and not at all where it does no harm', () => {
  const keep = 'prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)'
  expect(diff([keep, ...REFERENCE.toSpliced(3, 1)]).first).toContain(
    'The reference also calls `mount("tmpfs"',
  )
  const calls = [keep, ...REFERENCE].map((call, i) => ({ call, at: at(i + 10) }))
  const exercise = { reasons, tasks, harmless: /KEEPCAPS/ }
  expect(diffTapes(calls, REFERENCE, exercise, task('dev')).first).toBe(undefined)
})

test('what only later tasks ask for is not missed', () => {
  const { rows, first } = diff(['pivot_root(".", ".")', 'umount2(".")'], 'pivot')
  expect(first).toBe(undefined)
  expect(rows).toHaveLength(2)
})

test('of several differences the one that the task asks for is named', () => {
  const [pivot, , umount] = REFERENCE as [string, string, string]
  expect(diff([pivot, umount], 'proc').first).toMatch(/^The reference also calls `mount\("proc"/)
  expect(diff([pivot, umount], 'dev').first).toMatch(/^The reference also calls `mount\("tmpfs"/)
})

test('where nothing is recorded yet, the first call is not given away', () => {
  expect(diff([]).first).toBe(undefined)
})

test('a call after execve is never made', () => {
  expect(diff(['execve("/bin/sh")', 'umount2(".")']).first).toBe(
    '`umount2(".")` (line 11) stands after `execve`, which does not return: the child never makes that call.',
  )
})

test('of a call that was refused its own difference is said, and no other', () => {
  const links = ['symlinkat("a")', 'symlinkat("b")']
  const calls = [...links.toReversed(), 'mount("tmpfs", "/dev", MS_RDONLY)', 'umount2("/")']
  const reference = [...links, 'mount("tmpfs", "/dev", 0)', 'umount2(".")']
  const refused = (what: string, line: number) => diff(calls, 'dev', { what, line }, reference).first
  expect(refused('umount2("/") = -1 EINVAL', 13)).toMatch(
    /^You call `umount2\("\/"\)` \(line 13\), the reference/,
  )
  expect(refused('mount("tmpfs", "/dev", MS_RDONLY) = -1 EPERM', 12)).toMatch(
    /^You call `mount\(.* the reference `mount\("tmpfs", "\/dev", 0\)`/,
  )
  expect(refused('symlinkat("a") = -1 EEXIST', 11)).toBe(undefined)
})

test('what is missing before a call that was refused may be why', () => {
  const refused = { what: 'umount2(".") = -1 EINVAL', line: 11 }
  expect(diff(['pivot_root(".", ".")', 'umount2(".")'], 'proc', refused).first).toMatch(
    /^The reference also calls `mount\("proc"/,
  )
})

test('what does no harm is not explained: the like in another order, the same more often', () => {
  const reference = ['symlinkat("a")', 'symlinkat("b")', 'chdir("..")', 'chroot(".")']
  const calls = ['symlinkat("b")', 'symlinkat("a")', 'chdir("..")', 'chdir("..")', 'chroot("/")']
  expect(diff(calls, 'dev', undefined, reference).first).toBe(
    'You call `chroot("/")` (line 14), the reference `chroot(".")`.',
  )
})
