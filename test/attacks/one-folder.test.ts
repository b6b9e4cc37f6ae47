// One data folder under two names; one that is moved while containers run; a copy of one. The kernel says what runs.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isAlive } from '../../lib/kernel/process/procfs.ts'
import { fillData, runMinilab, userFolder, type UserName, users } from '../support/minilab.ts'

/** A data folder with a container that runs in it, and a way to call minilab with any data folder. */
async function stand(user: UserName, nameOf = (real: string) => real) {
  const folder = userFolder(user)
  const real = join(folder, 'real')
  execFileSync('cp', ['-a', userFolder(user), real])
  fillData(real, user)
  symlinkSync('real', join(folder, 'link'))
  const at =
    (data: string) =>
    (...args: string[]) =>
      runMinilab(args, { user, data })
  const start = async (name: string, script = 'exec sleep 1000') => {
    const run = ['run', '-d', '--network', 'none', '--name', name, 'default', 'sh', '-c', script]
    return (await at(nameOf(real))(...run)).stdout.trim()
  }
  const id = await start('first')
  const file = join(real, 'containers', id, 'state.json')
  const { pid, started } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number; started: number }
  return { folder, real, at, start, id, file, runs: () => isAlive(pid, started) }
}

const left = (data: string) => ['containers', 'ledger', 'logs'].flatMap(name => readdirSync(join(data, name)))
const listing = (id: string) => ({ stdout: expect.stringContaining(id) as string, stderr: '' })

describe.each(users)('as %s', user => {
  test('a link to the data folder is the data folder', async () => {
    const { real, at, id, runs } = await stand(user, real => join(real, '../link'))
    const minilab = at(real)
    expect(await minilab('ps')).toMatchObject(listing(id))
    expect(await minilab('exec', 'first', 'echo', 'ok')).toMatchObject({ stdout: 'ok\n', status: 0 })
    expect((await minilab('run', '--name', 'first', 'default', 'true')).stderr).toContain(`taken by ${id}`)
    expect(await minilab('rm', '-f', id)).toMatchObject({ stdout: 'first\n', status: 0 })
    expect(runs()).toBe(false)
    expect(left(real)).toEqual([])
  })

  test('a data folder that is moved takes along what runs, and how it ends', async () => {
    const { folder, real, at, start, id, runs } = await stand(user)
    await start('ends', 'echo said; trap "exit 5" USR1; while :; do sleep 0.1; done')
    const moved = join(folder, 'moved')
    renameSync(real, moved)
    const minilab = at(moved)
    expect(await minilab('ps')).toMatchObject(listing(id))
    expect(await minilab('exec', 'first', 'echo', 'ok')).toMatchObject({ stdout: 'ok\n', status: 0 })
    await minilab('kill', '-s', 'USR1', 'ends')
    expect((await minilab('logs', '-f', 'ends')).stdout).toBe('said\n')
    expect((await minilab('ps', '-a')).stdout).toContain('exited (5)')
    expect(await minilab('rm', '-f', id, 'ends')).toMatchObject({ stdout: 'first\nends\n', status: 0 })
    expect(runs()).toBe(false)
    expect(left(moved)).toEqual([])
  })

  test('of one that was moved rm -f ends also what has a damaged state', async () => {
    const { folder, real, at, id, file, runs } = await stand(user)
    writeFileSync(file, 'no state at all')
    renameSync(real, join(folder, 'moved'))
    expect(await at(join(folder, 'moved'))('rm', '-f', id)).toMatchObject({ stdout: `${id}\n`, status: 0 })
    expect(runs()).toBe(false)
  })

  test('what runs is not lost by its copy: rm -f says where it belongs', async () => {
    const { folder, real, at, id, runs } = await stand(user)
    const copy = join(folder, 'copy')
    execFileSync('cp', ['-a', real, copy])
    const { status, stderr } = await at(copy)('rm', '-f', id)
    expect(stderr).toContain(`${id} runs, and belongs to the data folder ${real}`)
    expect([status, runs()]).toEqual([2, true])
    await at(real)('rm', '-f', id)
    expect(await at(copy)('rm', '-f', id)).toMatchObject({ status: 0 })
    expect(left(copy)).toEqual([])
  })
})
