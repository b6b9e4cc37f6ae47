import { spawnSync } from 'node:child_process'
import { openSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Handover, Subject } from '../../lib/kernel/process/handed.ts'
import { userFolder } from '../support/minilab.ts'

const url = JSON.stringify(new URL('../../lib/kernel/process/handed.ts', import.meta.url).href)

const ONE = new Subject<{ fd: number }>('one')
const TWO = new Subject<string>('two')

/** Another process of ours: what it has been told, and what a program that it starts inherits. */
function told(fd: number, env: Record<string, string>) {
  const script = `
    import { spawnSync } from 'node:child_process'
    import { Subject } from ${url}
    const [one, two, three] = ['one', 'two', 'three'].map(name => new Subject(name).told)
    const look = 'ls -l /proc/self/fd | grep -c memfd; echo $MINILAB_HANDED'
    const { stdout } = spawnSync('/bin/sh', ['-c', look], { encoding: 'utf8', stdio: ['inherit', 'pipe', 'inherit'] })
    console.log(JSON.stringify({ one, two, three, inherited: stdout.trim() }))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', fd],
    env: { ...process.env, ...env },
  })
  return stdout ? (JSON.parse(stdout) as unknown) : stderr
}

test('one process tells the next, and nothing that this one starts', () => {
  using handed = new Handover({ ...ONE.tell({ fd: 7 }), ...TWO.tell('é') })
  expect(told(handed.fd, handed.env(3))).toEqual({ one: { fd: 7 }, two: 'é', inherited: '0' })
})

test('a variable alone tells nothing: the file must be sealed', () => {
  const file = openSync(`${userFolder()}/told`, 'w+')
  expect(told(file, { MINILAB_HANDED: '3' })).toContain('MINILAB_HANDED is set, but not by minilab')
  expect(told(file, { MINILAB_HANDED: '' })).toEqual({ inherited: '0' })
})

test('what was told cannot be changed', () => {
  using handed = new Handover(TWO.tell('x'))
  expect(() => openSync(`/proc/self/fd/${handed.fd}`, 'w')).toThrow('EPERM')
})
