import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { MinilabError } from '../../common/errors.ts'
import { hierarchyOf } from '../../kernel/cgroup/cgroupfs.ts'
import type { Property } from './properties.ts'

// systemd's manager, by the two programs that come with it: busctl(1) for what systemctl(1) has no command for. systemctl waits until a
// job is over, which it learns by an event. Both are found without an engine's PATH.

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const MANAGER = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager']

const FOR_ENGINES = 'leave out --systemd-cgroup: the engine has a setting for the cgroupfs driver'

/** Throws if systemd does not run here: sd_booted(3). */
export function needSystemd(): void {
  if (existsSync('/run/systemd/system')) return
  throw new MinilabError(
    'limited',
    'systemd not running on this host, cannot use systemd cgroups manager',
    FOR_ENGINES,
  )
}

/** The version that systemd uses: on v1, also with v2 beside it, it has a hierarchy of its own. systemd, docs/CGROUP_DELEGATION.md */
export const systemdsVersion = (): 1 | 2 => (hierarchyOf('name=systemd') ? 1 : 2)

/** Starts a scope, which makes its cgroup and puts the process into it; returns when that is done. */
export function startUnit(name: string, pid: number, properties: readonly Property[]): void {
  const all: Property[] = [...properties, ['PIDs', 'au', '1', String(pid)]]
  const start = () => call('StartTransientUnit', 'ssa(sv)a(sa(sv))', [name, 'replace', ...words(all), '0'])
  let refused = start()
  if (refused && EXISTS.test(refused)) {
    systemctl('reset-failed', name) // one that has failed keeps its name until then
    refused = start()
  }
  // to start what is about to start waits for the same job: systemd, src/core/job.c, job_merge_into_installed()
  const failed = refused ?? systemctl('start', name)
  if (failed === undefined) return
  if (!refused) stopUnit(name)
  throw new MinilabError('machine', `unable to start unit ${JSON.stringify(name)}: ${failed}`, FOR_ENGINES)
}

/** "Unit x.scope already exists.", and "… was already loaded or has a fragment file." */
const EXISTS = /already (exists|loaded)/

/** Changes properties of a unit until it ends. */
export function setUnitProperties(name: string, properties: readonly Property[]): void {
  if (properties.length === 0) return
  const refused = call('SetUnitProperties', 'sba(sv)', [name, 'true', ...words(properties)])
  if (refused)
    throw new MinilabError('machine', `unable to set unit properties: ${refused}`, `systemctl status ${name}`)
}

/** Stops a unit, if it still exists, and waits for that. A scope without processes ends by itself. */
export function stopUnit(name: string): void {
  systemctl('stop', name)
  systemctl('reset-failed', name)
}

/** An array of names with their values. */
const words = (properties: readonly Property[]) => [String(properties.length), ...properties.flat()]

const call = (method: string, types: string, values: string[]) =>
  said('busctl', ['--system', '--quiet', 'call', ...MANAGER, method, types, ...values])
const systemctl = (...args: string[]) => said('systemctl', args)

/** Runs a program; returns what it said if it failed. */
function said(program: string, args: string[]): string | undefined {
  const { status, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${process.env.PATH ?? ''}:${PATH}`, LC_ALL: 'C' },
  })
  if (error) return `${program}: ${error.message}`
  if (status === 0) return undefined
  return (
    stderr
      .trim()
      .replaceAll('\n', '; ')
      .replace(/^Call failed: /, '') || `${program} failed`
  )
}
