// A checkout of minilab as `git clone` leaves it, and its launcher started there.
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export const project = join(import.meta.dirname, '../..')

// What `npm test` sets would reach an npm that the launcher starts.
const cleanEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_COMPILE_CACHE$)/.test(name)),
)

/** Stands in for npm where npm is not what is tested: it notes its call, and installs links to what is installed here. */
const fakeNpm = `#!/bin/sh
echo "$*" >>npm.log
[ ! -e npm.fails ] || exit 1
mkdir -p node_modules
ln -sfn '${project}/node_modules/'* node_modules/
echo added 1 package
touch node_modules/.package-lock.json
`

/** A CLI that prints what reached it. */
const echoCli = 'console.log(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd() }))'

/** An empty folder that others may enter, removed after the test. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'minilab-launcher-'))
  chmodSync(folder, 0o755)
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A checkout as `git clone` leaves it, with `cli` as its lib/cli/main.ts; and a folder `bin` for PATH, with the fake npm. */
export function checkout({ name = 'checkout', cli = echoCli } = {}) {
  const parent = temporaryFolder()
  const root = join(parent, name)
  const bin = join(parent, 'bin')
  mkdirSync(join(root, 'lib/cli'), { recursive: true })
  for (const file of ['minilab', 'bin.mjs', 'package.json', 'package-lock.json', '.npmrc'])
    cpSync(join(project, file), join(root, file))
  writeFileSync(join(root, 'lib/cli/main.ts'), cli)
  mkdirSync(bin)
  writeFileSync(join(bin, 'npm'), fakeNpm, { mode: 0o755 })
  const at = (path: string) => join(root, path)
  return { parent, root, bin, at, launcher: at('minilab'), path: `${bin}:${process.env.PATH}` }
}

/** A PATH of the system's tools without `absent`. */
export function pathWithout(bin: string, absent: string): string {
  for (const tool of [
    'sh',
    'dirname',
    'readlink',
    'stat',
    'id',
    'touch',
    'sed',
    'uname',
    'mkdir',
    'ln',
    'flock',
    'npm',
  ]) {
    const found = process.env.PATH?.split(':').find(folder => existsSync(join(folder, tool)))
    if (tool !== absent && found && !existsSync(join(bin, tool)))
      symlinkSync(join(found, tool), join(bin, tool))
  }
  if (absent === 'npm') rmSync(join(bin, 'npm'))
  return bin
}

export interface Outcome {
  status: number | null
  stdout: string
  stderr: string
}

/** Runs `command` to its end. `uid`: as that user. */
export function run(
  command: string,
  args: string[],
  { cwd = '/', env = {}, uid }: { cwd?: string; env?: Record<string, string>; uid?: number } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      uid,
      env: { ...cleanEnv, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const outcome: Outcome = { status: null, stdout: '', stderr: '' }
    child.stdout.on('data', text => (outcome.stdout += text))
    child.stderr.on('data', text => (outcome.stderr += text))
    child.on('error', reject)
    child.on('close', status => resolve({ ...outcome, status }))
  })
}

/** The paths that find(1) finds; it does not follow symbolic links. */
export const find = (...args: string[]): string[] =>
  execFileSync('find', args, { encoding: 'utf8' }).split('\n').filter(Boolean)

export const npmCalls = (root: string): number =>
  readFileSync(join(root, 'npm.log'), 'utf8').trim().split('\n').length
