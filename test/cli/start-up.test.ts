import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { self, sharedData } from '../support/minilab.ts'
import { straced } from '../support/strace.ts'

// What a command loads and starts, counted: time depends on the machine. Less is welcome; more needs a reason.

const BIN = join(import.meta.dirname, '../../bin.mjs')
const folder = mkdtempSync('/tmp/minilab-start-up-')
afterAll(() => rmSync(folder, { recursive: true }))

const NOTE = join(folder, 'note.mjs')
writeFileSync(
  NOTE,
  `import module from 'node:module'
import { writeFileSync } from 'node:fs'
const urls = []
module.registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
process.on('exit', () => writeFileSync(process.env.MODULES, urls.join('\\n')))`,
)

const env = { ...process.env, MINILAB_DATA: sharedData()[self], MODULES: join(folder, 'modules') }
const RUN = ['run', '--rm', '--network', 'none', 'default', 'true']

/** The modules that a command loads: ours by their paths, packages by their names, Node's with `node:`. */
function modules(args: string[]): { ours: string[]; packages: string[]; builtin: string[] } {
  execFileSync(process.execPath, ['--import', NOTE, BIN, ...args], { env, stdio: 'ignore' })
  const all = [...new Set(readFileSync(env.MODULES, 'utf8').split('\n'))]
  const packages = all.flatMap(url => /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? [])
  return {
    ours: all.filter(url => /\/(?:lib|chapters|labs)\/.*\.ts$/.test(url)),
    packages: [...new Set(packages)].toSorted(),
    builtin: all.filter(url => url.startsWith('node:')),
  }
}

/** Costly to load, and seldom needed. */
const SELDOM = ['crypto', 'zlib', 'child_process', 'process', 'http', 'worker_threads', 'stream/consumers']
const KOFFI = ['@koromix/koffi-linux-x64', '@koromix/koffi-linux-arm64', 'koffi']

const COMMANDS = [
  { args: ['--version'], ours: 5, packages: [] },
  { args: ['run', '--help'], ours: 37, packages: ['commander', ...KOFFI] },
  { args: ['ps'], ours: 48, packages: ['commander', ...KOFFI] },
  { args: RUN, ours: 164, packages: ['commander', ...KOFFI] },
].map(command => ({ ...command, words: command.args.join(' ') }))

test.each(COMMANDS)('$words loads few modules of few packages', ({ args, ours, packages }) => {
  const loaded = modules(args)
  expect(loaded.ours.length).toBeLessThanOrEqual(ours)
  expect(loaded.packages.filter(name => !packages.includes(name))).toEqual([])
  expect(loaded.builtin.filter(url => SELDOM.includes(url.slice('node:'.length)))).toEqual([])
})

const tried = spawnSync('strace', ['-o', '/dev/null', 'true'])
const noStrace = tried.status === 0 ? '' : ' (strace cannot trace here: apt-get install strace)'

test.skipIf(noStrace)(
  `run executes three programs: Node, the second stage and the container's${noStrace}`,
  () => {
    const files = join(folder, 'trace')
    const command = ['-e', 'trace=execve,execveat', process.execPath, BIN, ...RUN]
    const [strace = '', ...options] = straced(files)
    execFileSync(strace, [...options, ...command], { env, stdio: 'ignore' })
    const lines = readdirSync(folder)
      .filter(name => name.startsWith('trace.'))
      .flatMap(name => readFileSync(join(folder, name), 'utf8').split('\n'))
    const executed = lines.filter(line => line.endsWith(' = 0')).map(line => /(\w+)\(/.exec(line)?.[1])
    expect(executed.toSorted()).toEqual(['execve', 'execve', 'execveat'])
  },
)
