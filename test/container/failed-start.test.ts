import { existsSync, openSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { closing } from '../../lib/common/descriptor.ts'
import { defaultSpec } from '../../lib/container/default-spec.ts'
import { Ledger } from '../../lib/container/ledger/ledger.ts'
import type { Part } from '../../lib/container/part.ts'
import { limits } from '../../lib/container/parts/limits.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { program } from '../../lib/container/parts/process.ts'
import { startParts } from '../../lib/container/start.ts'
import { cgroupOf } from '../../lib/kernel/cgroup/cgroup.ts'
import { AT_FDCWD } from '../../lib/kernel/syscalls/constants.ts'
import { keepInherited } from '../../lib/kernel/process/inherited.ts'
import { namespaceInode, pids, processExists, unlessGone } from '../../lib/kernel/process/procfs.ts'
import { isRoot, userFolder } from '../support/minilab.ts'

/** How a start fails: in our work at the gate, in a call of the child, at its execve; or its child is killed at the gate. */
const FAILURES: Part['name'][] = ['attach', 'inside', 'program', 'killed']

test.skipIf(!isRoot)(
  'of 100 starts that fail no cgroup is left, and no process',
  { timeout: 120_000 },
  async () => {
    keepInherited() // what we have from the test runner
    const folder = userFolder()
    const nothing = openSync('/dev/null', 'r+')
    onTestFinished(() => closing(nothing)[Symbol.dispose]())
    const cgroups: string[] = []
    const children: number[] = []
    for (let i = 0; i < 100; i++) {
      const how = FAILURES[i % FAILURES.length]
      const fails: Part = {
        name: 'test',
        attach(_, pid) {
          children.push(pid)
          cgroups.push(
            ...cgroupOf(pid).folders.flatMap(({ path }) => (path.includes(`failed-${i}`) ? path : [])),
          )
          // nothing is in it that could see our program, which its process 1 still is
          const inode = namespaceInode(pid, 'pid')
          const inside = pids().filter(other => unlessGone(() => namespaceInode(other, 'pid')) === inode)
          expect(inside).toEqual([pid])
          if (how === 'killed') process.kill(pid, 'SIGKILL')
          if (how === 'attach') throw new Error('our work')
        },
        inside(tape) {
          if (how === 'inside') tape.mkdirat(AT_FDCWD, '/missing/folder', 0o755)
        },
      }
      const spec = defaultSpec('/', [how === 'program' ? '/missing' : '/bin/true'], false)
      spec.linux.cgroupsPath = `/minilab/failed-${i}-${process.pid}`
      spec.linux.resources = { pids: { limit: 20 } }
      const ledger = new Ledger(folder)
      const stdio = [nothing, nothing, nothing] as [number, number, number]
      const plan = { id: `failed-${i}`, spec, rootfs: '/', ledger, stdio, diesWithUs: true }
      await expect(startParts([namespaces, limits, fails, program], plan), how).rejects.toThrow()
      await ledger.settle() // throws if a cgroup cannot be removed
    }
    expect(cgroups.length).toBeGreaterThanOrEqual(100)
    expect(cgroups.filter(path => existsSync(path))).toEqual([])
    expect(children.filter(pid => processExists(pid))).toEqual([])
  },
)
