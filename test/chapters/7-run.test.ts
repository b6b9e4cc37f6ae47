import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checks } from '../../chapters/7-run/checks.ts'
import { ociChecks } from '../../chapters/7-run/oci-checks.ts'
import { cgroupMode, hierarchyOf } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { left, runMinilab, users, userData } from '../support/minilab.ts'

const OCI_IDS = Object.values(ociChecks).map(check => check.id)
const IDS = Object.values(checks).map(check => check.id)

describe.each(users)('as %s', user => {
  test('every check holds that can be looked at here, and nothing is left', async () => {
    const data = userData(user)
    const { status, stderr, json } = await runMinilab(['step', '7', '--yes', '--json'], { user, data })
    expect(stderr).toBe('')
    const [report] = json()
    expect(report?.checks.filter(({ ok }) => ok === false)).toEqual([])
    expect(status).toBe(0)
    expect(report?.checks.map(({ id }) => id).sort()).toEqual([...IDS].sort())
    // an ordinary user has no cgroup of their own unless one was handed down to them
    const limited = report!.checks.filter(({ ok }) => ok === null).map(({ id }) => id)
    expect(user === 'root' && cgroupMode() !== 'none' && hierarchyOf('memory') ? limited : []).toEqual([])
    expect(limited.filter(id => id !== 'limits')).toEqual([])
    expect(left(report!)).toEqual([])
    for (const folder of ['containers', 'ledger', 'logs'])
      expect(readdirSync(join(data, folder)), folder).toEqual([])
    // the rights go in an order in which none is needed any more
    const calls = report!.tape.map(({ call, args }) => `${call} ${args}`)
    const last = (call: string) => calls.findLastIndex(text => text.startsWith(call))
    const order = ['pivot_root', 'prctl PR_CAPBSET_DROP', 'capset', 'prctl PR_SET_NO_NEW_PRIVS', 'seccomp']
    const places = order.map(last)
    expect(places).not.toContain(-1)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(last('execve')).toBe(calls.length - 1)
  }, 180_000) // it starts eight processes of ours, and who does not own the checkout has no compile cache

  test('--oci: the same by the commands of minilab-oci, with the calls of both stages', async () => {
    const ran = await runMinilab(['step', '7', '--oci', '--yes', '--json'], { user })
    expect(ran.stderr).toBe('')
    const [report] = ran.json()
    expect(report?.checks.filter(({ ok }) => ok === false)).toEqual([])
    expect(report?.checks.map(({ id }) => id).sort()).toEqual([...OCI_IDS].sort())
    expect(left(report!)).toEqual([])
    const [first, second, joining] = report!.launches.map(({ tape }) => tape.map(({ call }) => call))
    if (first) {
      expect(first).toContain('pivot_root')
      expect(first.at(-1)).toBe('execveat')
      expect(second?.slice(0, 2)).toEqual(['close', 'prctl'])
      expect(second).toContain('seccomp')
      expect(second?.at(-1)).toBe('execve')
      expect(joining).toContain('setns')
    }
    if (user === 'root') expect(first).toBeDefined()
    expect(ran.status).toBe(0)
  })
})
