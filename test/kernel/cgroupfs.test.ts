import { describe, expect, test } from 'vitest'
import { cgroupMode, hierarchyOf, parseHierarchies, pathIn } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { parseMountinfo } from '../../lib/kernel/mount/mountinfo.ts'

// as /proc/self/mountinfo and /proc/<pid>/cgroup look on four kinds of machines
const V2 = '30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate'
const V1 = [
  '30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
  '31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
  '32 24 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd',
].join('\n')

const found = (mounts: string, text: string, v2: string[] = []) =>
  parseHierarchies(text, parseMountinfo(mounts + '\n'), () => v2)

describe('the cgroup hierarchies of a process', () => {
  test('v2: one tree, which can freeze and count processor time without a controller', () => {
    const [tree, ...others] = found(V2, '0::/user.slice/session-2.scope\n', ['cpu', 'memory', 'pids'])
    expect(others).toEqual([])
    expect(tree).toMatchObject({
      version: 2,
      mount: '/sys/fs/cgroup',
      own: '/sys/fs/cgroup/user.slice/session-2.scope',
    })
    expect(tree!.controllers).toEqual(['cpu', 'memory', 'pids', 'freezer', 'cpuacct'])
    expect(cgroupMode([tree!])).toBe('v2')
  })

  test('v1: a tree for each controller, or for some together, found by either name', () => {
    const trees = found(V1, '3:cpu,cpuacct:/a\n2:memory:/b\n1:name=systemd:/c:d\n')
    expect(cgroupMode(trees)).toBe('v1')
    expect(hierarchyOf('cpuacct', trees)?.own).toBe('/sys/fs/cgroup/cpu,cpuacct/a')
    expect(hierarchyOf('memory', trees)?.own).toBe('/sys/fs/cgroup/memory/b')
    expect(hierarchyOf('name=systemd', trees)?.own).toBe('/sys/fs/cgroup/systemd/c:d')
    expect(hierarchyOf('pids', trees)).toBeUndefined()
  })

  test("hybrid: a controller is where it is bound, and v1's freezer goes before that of v2", () => {
    const mounts = `${V1}\n33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n34 24 0:30 / /fz rw - cgroup cgroup rw,freezer`
    const trees = found(mounts, '4:freezer:/\n3:cpu,cpuacct:/\n2:memory:/\n0::/x\n', ['hugetlb', 'pids'])
    expect(cgroupMode(trees)).toBe('hybrid')
    expect(hierarchyOf('freezer', trees)?.mount).toBe('/fz')
    expect(hierarchyOf('pids', trees)?.own).toBe('/sys/fs/cgroup/unified/x')
  })

  test('a mount that shows a part only: its root is taken off the path, whole names alone', () => {
    const part = V2.replace(' / /sys', ' /docker/ab /sys')
    expect(found(part, '0::/docker/ab\n')[0]?.own).toBe('/sys/fs/cgroup')
    expect(found(part, '0::/docker/ab/x\n')[0]?.own).toBe('/sys/fs/cgroup/x')
    expect(found(part, '0::/docker/abc\n')[0]?.own).toBe('/sys/fs/cgroup/docker/abc')
  })

  test('of two mounts of a tree the one that shows all of it; a tree that is not mounted is left out', () => {
    const part = V2.replace(' / /sys/fs/cgroup ', ' /part /mnt/part ')
    expect(found(`${part}\n${V2}`, '0::/part/x\n')[0]?.own).toBe('/sys/fs/cgroup/part/x')
    expect(found('', '2:memory:/\n0::/\n')).toEqual([])
    expect(cgroupMode([])).toBe('none')
  })

  test('the path of a process as another cgroup namespace prints it', () => {
    const text = '3:cpu,cpuacct:/a\n2:memory:/../b\n0::/\n'
    const [cpu, memory, tree] = found(`${V1}\n${V2}`, text)
    expect([cpu, memory, tree].map(h => pathIn(text, h!))).toEqual(['/a', '/../b', '/'])
    expect(pathIn('1:name=systemd:/\n', cpu!)).toBeUndefined()
  })
})
