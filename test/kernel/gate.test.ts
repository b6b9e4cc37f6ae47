import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const TAPE = join(import.meta.dirname, '../../lib/kernel/tape')

it('a program can be started right after a launch: a child at its gate holds no end of the pipe that spawn reads from', () => {
  const script = `
    import { spawnSync } from 'node:child_process'
    import { Gate } from '${TAPE}/gate.ts'
    import { launchGated } from '${TAPE}/launch-gated.ts'
    import { Tape } from '${TAPE}/tape.ts'
    for (let i = 0; i < 20; i++) {
      const [tape, gate] = [new Tape(), new Gate()]
      gate.record(tape)
      const going = launchGated(tape, gate, 0, [() => {}])
      const { status } = spawnSync('true')
      const { child } = await going
      console.log(status, (await child.exit).status)
    }`
  // in its own process: spawn would block this one, and a limit of time could not end it
  const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect({ stdout, signal }).toEqual({ stdout: '0 0\n'.repeat(20), signal: null })
})
