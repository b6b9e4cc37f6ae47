// A container that ends while `exec` joins it: at each door that leads there, exec is given the answer that it has gone.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { self, sharedData } from '../support/minilab.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const data = sharedData()

function minilab(args: string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--', ENTRY, ...args], {
    encoding: 'utf8',
    timeout: 60_000, // against hanging
    env: { ...process.env, MINILAB_DATA: data[self], ...env },
  })
  return { status, stdout, stderr }
}

/** Kills a process when a path is looked at for the first time, and waits until nobody can tell any more what it was. */
const kills = (pid: number, call: string, path: RegExp) => `
  import fs from 'node:fs'
  import { syncBuiltinESMExports } from 'node:module'
  const { ${call}: original, readFileSync: read } = fs
  const isThere = () => { try { return !/\\) [ZX] /.test(read('/proc/${pid}/stat', 'latin1')) } catch { return false } }
  fs.${call} = (...args) => {
    if (${String(path)}.test(args[0])) {
      try { process.kill(${pid}, 'SIGKILL') } catch {}
      while (isThere());
    }
    return original(...args)
  }
  syncBuiltinESMExports()`

test.each([
  ['statSync', /[/]ns[/]user$/, []],
  ['readFileSync', /[/]cgroup$/, []],
  ['openSync', /cgroup[.]procs$/, []],
  ['statSync', /[/]ns[/]mnt$/, ['-t']],
  ['statSync', /[/]ns[/]mnt$/, ['-u', 'root']],
] as const)('its first process is killed before %s of %s', (call, path, flags) => {
  const run = ['run', '-d', '--rm', '--name', 'brief', '--network', 'none', 'default', 'sleep', '1000']
  expect(minilab(run)).toMatchObject({ status: 0, stderr: '' })
  onTestFinished(() => void minilab(['rm', '-f', 'brief']))
  const [{ pid }] = JSON.parse(minilab(['ps', '--json']).stdout) as [{ pid: number }]
  const hook = `data:text/javascript,${encodeURIComponent(kills(pid, call, path))}`
  const exec = minilab(['exec', ...flags, 'brief', 'true'], { NODE_OPTIONS: `--import ${hook}` })
  expect(exec).toEqual({
    status: 125,
    stdout: '',
    stderr: 'minilab: brief has ended: minilab ps -a shows how\n',
  })
})
