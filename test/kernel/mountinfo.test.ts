import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import {
  CLONE_NEWNS,
  CLONE_NEWUSER,
  MS_NODEV,
  MS_NOSUID,
  MS_REC,
  MS_SHARED,
} from '../../lib/kernel/syscalls/constants.ts'
import { mountinfo, mountOf, parseMountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { visit } from '../../lib/kernel/tape/visit.ts'
import { atGate, folder } from './replay.ts'

const noFindmnt =
  spawnSync('findmnt', ['--version']).status === 0 ? '' : ' (no findmnt: apt-get install util-linux)'

describe('a line of mountinfo', () => {
  test('the example of proc_pid_mountinfo(5)', () => {
    const line = '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n'
    expect(parseMountinfo(line)).toEqual([
      {
        id: 36,
        parent: 35,
        device: '98:0',
        root: '/mnt1',
        target: '/mnt2',
        options: ['rw', 'noatime'],
        propagation: ['master:1'],
        type: 'ext3',
        source: '/dev/root',
        superOptions: ['rw', 'errors=continue'],
      },
    ])
  })

  test.each([
    ['', []],
    [' shared:7', ['shared:7']],
    [' shared:7 master:2 propagate_from:1', ['shared:7', 'master:2', 'propagate_from:1']],
    [' unbindable', ['unbindable']],
  ])('with the optional fields “%s”', (fields, propagation) => {
    const [mount] = parseMountinfo(`1 2 0:3 / /x rw${fields} - tmpfs none rw`)
    expect(mount).toMatchObject({ propagation, type: 'tmpfs', source: 'none' })
  })

  test('with octal escapes, in every field that may have them', () => {
    const [mount] = parseMountinfo(
      String.raw`1 2 0:3 /a\040b /c\011d\012e\134f\043g\0401 rw - fuse.x user@host:/h\040i rw`,
    )
    expect(mount).toMatchObject({ root: '/a b', target: '/c\td\ne\\f#g 1', source: 'user@host:/h i' })
  })

  test('with an empty source', () => {
    expect(parseMountinfo('1 2 0:3 / /x rw - tmpfs  rw,size=4k')).toMatchObject([
      { type: 'tmpfs', source: '', superOptions: ['rw', 'size=4k'] },
    ])
  })

  test('as the kernel writes it', async () => {
    const { pid } = await atGate(CLONE_NEWUSER | CLONE_NEWNS)
    const target = `${folder()}/a b\tc\nd\\e#f - ünï`
    mkdirSync(target)
    await visit(pid(), ['user', 'mnt'], tape => {
      tape.mount('my source', target, 'tmpfs', MS_NOSUID | MS_NODEV, 'size=64k')
      tape.mount(null, target, null, MS_SHARED | MS_REC, null)
    })
    expect(mountinfo(pid()).filter(mount => mount.source === 'my source')).toMatchObject([
      {
        target: realpathSync(target),
        root: '/',
        type: 'tmpfs',
        options: expect.arrayContaining(['rw', 'nosuid', 'nodev']),
        propagation: [expect.stringMatching(/^shared:\d+$/)],
        superOptions: expect.arrayContaining(['size=64k']),
      },
    ])
    expect(mountinfo().some(mount => mount.source === 'my source')).toBe(false)
  })
})

describe('the mount that a path lies on', () => {
  const mounts = (...lines: string[]) =>
    parseMountinfo(lines.map(line => line.replace(/ (\/\S*)$/, ' 0:1 / $1 rw - tmpfs none rw')).join('\n'))
  const on = (path: string, ...lines: string[]) => mountOf(path, mounts(...lines))?.id

  test('is the deepest one above it, whatever the order of the lines', () => {
    // an initramfs mounts these three before it moves them onto the real root
    const machine = ['22 28 /sys', '23 28 /proc', '24 28 /dev', '28 1 /', '29 24 /dev/shm', '30 28 /home']
    for (const [path, id] of Object.entries({
      '/': 28,
      '/etc/passwd': 28,
      '/proc': 23,
      '/proc/sys/kernel': 23,
      '/process': 28,
      '/dev/null': 24,
      '/dev/shm/x': 29,
      '/dev/shmem': 24,
      '/home/user': 30,
    }))
      expect([path, on(path, ...machine)]).toEqual([path, id])
  })

  test('is the topmost of those on the same directory', () => {
    expect(on('/mnt/x', '1 0 /', '2 1 /mnt', '3 2 /mnt')).toBe(3)
    expect(on('/mnt/x', '3 2 /mnt', '2 1 /mnt', '1 0 /')).toBe(3)
  })

  test('is not one that another mount hides', () => {
    expect(on('/a/b/c', '1 0 /', '2 1 /a/b', '3 1 /a')).toBe(3) // /a was mounted over what had /a/b in it
    expect(on('/a/b/c', '1 0 /', '2 1 /a', '3 2 /a/b')).toBe(3)
    expect(on('/proc', '1 0 /', '2 1 /proc', '3 1 /')).toBe(3) // a whole root over the root
  })

  test('is there where the root is its own parent, and in a chroot that shows none', () => {
    expect(on('/x', '5 5 /', '6 5 /x')).toBe(6)
    expect(on('/proc/1', '6 5 /proc')).toBe(6)
    expect(on('/etc', '6 5 /proc')).toBeUndefined()
  })

  const paths = ['/', '/etc', '/proc/sys', '/dev/null', '/dev/pts', '/sys/fs/cgroup', tmpdir()]
  test.skipIf(noFindmnt).each(paths)(`%s: as findmnt says${noFindmnt}`, path => {
    const printed = execFileSync('findmnt', ['-J', '-o', 'ID', '--target', path], { encoding: 'utf8' })
    const { filesystems } = JSON.parse(printed) as { filesystems: { id: number }[] }
    expect(mountOf(realpathSync(path))?.id).toBe(filesystems.at(-1)?.id)
  })
})
