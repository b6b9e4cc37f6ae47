import { spawnSync } from 'node:child_process'
import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { limitDevices } from '../../lib/container/device-rules.ts'
import type { DeviceRule } from '../../lib/container/spec.ts'
import { Cgroup } from '../../lib/kernel/cgroup/cgroup.ts'
import { hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'

const unified = hierarchies().find(({ version }) => version === 2)
const lacks = unified && process.geteuid?.() === 0 ? '' : ' (needs root and cgroup v2)'
const made: string[] = []
afterAll(() => made.forEach(path => rmdirSync(path)))

const ALL = { allow: false }
const use = (minor: number, access: string, allow = true): DeviceRule => ({
  allow,
  type: 'c',
  major: 1,
  minor,
  access,
})

// on v2 a BPF program decides; the kernel is asked by a process in the cgroup, with /dev/null (1:3), /dev/zero (1:5) and /dev/full (1:7)
test.skipIf(lacks).each([
  ['nothing is allowed', [ALL], ''],
  ['one device', [ALL, use(3, 'rwm')], 'read null, write null'],
  ['only reading', [ALL, use(5, 'r')], 'read zero'],
  [
    'all of a major number',
    [ALL, { allow: true, type: 'c', major: 1, access: 'rwm' }],
    'read null, write null, read zero, write zero, read full, write full',
  ],
  [
    'the last rule decides',
    [{ allow: true }, use(7, 'w', false), use(3, 'rwm', false)],
    'read zero, write zero, read full',
  ],
  ['block devices are others', [ALL, { allow: true, type: 'b', access: 'rwm' }], ''],
])(`%s on cgroup v2${lacks}`, (_, rules, allowed) => {
  if (!unified) return
  const path = join(unified.mount, `minilab-devices-${process.pid}-${made.length}`)
  mkdirSync(path)
  made.push(path)
  limitDevices(new Cgroup([{ hierarchy: { ...unified, controllers: [] }, path }]), rules)
  const script = `echo $$ >${path}/cgroup.procs; for d in null zero full; do
    (: </dev/$d) 2>&- && echo read $d; (: >>/dev/$d) 2>&- && echo write $d; done; true`
  const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
  expect(stdout.trim().split('\n').join(', ')).toBe(allowed)
})
