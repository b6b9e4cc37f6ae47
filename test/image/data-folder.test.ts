import { existsSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { dataFolder, makeDir } from '../../lib/image/data-folder.ts'
import { folder } from './support.ts'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

test.each([
  ['MINILAB_DATA wins', 0, { MINILAB_DATA: '/srv/lab', XDG_DATA_HOME: '/xdg' }, '/srv/lab'],
  ['root has /var/lib', 0, { XDG_DATA_HOME: '/xdg' }, '/var/lib/minilab'],
  ['a user has XDG_DATA_HOME', 1000, { XDG_DATA_HOME: '/xdg', HOME: '/home/ann' }, '/xdg/minilab'],
  ['or ~/.local/share', 1000, { HOME: '/home/ann' }, '/home/ann/.local/share/minilab'],
  [
    'a relative XDG_DATA_HOME is ignored',
    1000,
    { XDG_DATA_HOME: 'x', HOME: '/home/ann' },
    '/home/ann/.local/share/minilab',
  ],
  ['a relative MINILAB_DATA is made absolute', 1000, { MINILAB_DATA: 'lab' }, join(process.cwd(), 'lab')],
])('%s', (_name, uid, env, expected) => {
  vi.spyOn(process, 'geteuid').mockReturnValue(uid)
  for (const name of ['MINILAB_DATA', 'XDG_DATA_HOME', 'HOME']) vi.stubEnv(name, undefined)
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  expect(dataFolder()).toBe(expected)
})

test('a folder has one name, whichever links lead to it, also before it is there', () => {
  const dir = folder()
  symlinkSync(dir, join(dir, 'link'))
  for (const path of ['', 'data/inner']) {
    vi.stubEnv('MINILAB_DATA', join(dir, 'link', path))
    expect(dataFolder()).toBe(join(dir, path))
  }
})

test('nothing is made by asking', () => {
  const dir = folder()
  vi.stubEnv('MINILAB_DATA', join(dir, 'data'))
  expect(dataFolder()).toBe(join(dir, 'data'))
  expect(readdirSync(dir)).toEqual([])
})

test('directories are 0755 under any umask, those that were there stay as they are', () => {
  const dir = folder()
  const umask = process.umask(0o077)
  try {
    makeDir(join(dir, 'a/b/c'))
  } finally {
    process.umask(umask)
  }
  for (const path of ['a', 'a/b', 'a/b/c']) expect(statSync(join(dir, path)).mode & 0o777).toBe(0o755)
})

test('a folder that cannot be made is a typed error', () => {
  const refused = expect.objectContaining({
    kind: 'usage',
    message: expect.stringContaining('/dev/null'),
  })
  expect(() => makeDir('/dev/null/data')).toThrow(refused)
  expect(existsSync('/dev/null/data')).toBe(false)
})
