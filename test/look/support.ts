import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { Readable } from '../../lib/look/readable.ts'
import type { Process, Snapshot } from '../../lib/look/snapshot-shape.ts'
import { runMinilab, type UserName, self, userData } from '../support/minilab.ts'

/** The kinds of namespaces, in the order in which they are shown. */
export const KINDS = ['user', 'pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup', 'time']

/** A script that is three processes. */
export const THREE = 'sleep 1001 & sleep 1002 & wait'

/** How long something may take on a busy machine, for `expect.poll`. */
export const BUSY = { timeout: 60_000 }

export interface Started {
  pid: number
  name: string
  id: string
  data: string
  user: UserName
}

/** `minilab run -d FLAGS default sh -c SCRIPT`, in a data folder of its own; removed after the test. */
export async function container(
  flags: string[],
  script: string,
  { user = self, data = userData(user) }: { user?: UserName; data?: string } = {},
): Promise<Started> {
  const ran = await runMinilab(['run', '-d', ...flags, 'default', 'sh', '-c', script], { user, data })
  expect(ran.stderr).toBe('')
  const id = ran.stdout.trim()
  onTestFinished(async () => void (await runMinilab(['rm', '-f', id], { user, data })))
  const { stdout } = await runMinilab(['ps', '--json'], { user, data })
  const found = (JSON.parse(stdout) as { id: string; name: string; pid: number }[]).find(row => row.id === id)
  return { pid: found!.pid, name: found!.name, id, data, user }
}

/** What `minilab look WORD --json` prints. */
export async function looked(word: string, of: Pick<Started, 'user' | 'data'>): Promise<Snapshot> {
  const { stdout, stderr, status } = await runMinilab(['look', word, '--json'], of)
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  return JSON.parse(stdout) as Snapshot
}

/** A value that was readable. */
export function known<T>(value: Readable<T>): T {
  expect(value).not.toHaveProperty('notReadable')
  return value as T
}

export const all = (roots: Process[]): Process[] =>
  roots.flatMap(process => [process, ...all(process.children)])

/** Another program's output. */
export const output = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: 'utf8' })
export const json = (command: string, ...args: string[]) => JSON.parse(output(command, ...args)) as unknown

/** The directory of a controller for a process, found by the shell's means: v1 where it is mounted, v2 otherwise. */
export function cgroupFolder(pid: number, controller: string): { version: 1 | 2; path: string } {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')
  const v1 = lines.find(line => line.split(':')[1]!.split(',').includes(controller))
  const mount = output(
    'findmnt',
    '-rn',
    '-o',
    'TARGET',
    '-t',
    v1 ? 'cgroup' : 'cgroup2',
    ...(v1 ? ['-O', controller] : []),
  )
  const line = v1 ?? lines.find(text => text.startsWith('0::'))!
  return { version: v1 ? 1 : 2, path: join(mount.split('\n')[0]!, line.split(':').slice(2).join(':')) }
}

/** A number in a control file, by the file's name on v1 and on v2, and perhaps the key of its line. */
export function control(pid: number, controller: string, v1: string, v2: string, key?: string): number {
  const { version, path } = cgroupFolder(pid, controller)
  const file = join(path, version === 1 ? v1 : v2)
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : 'NaN'
  const line = text.split('\n').find(row => row.startsWith(`${key} `))
  return Number(key === undefined ? text : (line?.slice(key.length + 1) ?? NaN))
}

export const children = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)

/** A program of ours that waits until the test is over. */
export function sleeper(command = 'sleep', ...args: string[]): number {
  // in a group of its own, so that what it has started ends with it
  const child = spawn(command, args.length ? args : ['1000'], { stdio: 'ignore', detached: true })
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    process.kill(-child.pid!, 'SIGKILL')
    await ended
  })
  return child.pid!
}
