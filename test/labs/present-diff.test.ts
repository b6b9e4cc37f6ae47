import { expect, test, vi } from 'vitest'
import { exercises } from '../../lib/cli/exercises.ts'
import { DiffPresenter } from '../../lib/labs/present-diff.ts'
import { newLearner, solution } from './support.ts'

const withoutBlanks = (text: string) => text.replaceAll(/\s/g, '')

test('a call that differs is printed whole, however long it is', async () => {
  const exercise = await exercises[4]!.load()
  const mount = (name: string) =>
    `mount("overlay", rootfs, "overlay", 0, "${'lowerdir=/a/b,'.repeat(9)}${name}")`
  let printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation(text => Boolean((printed += String(text))))
  const yours = { call: mount('xattr'), at: { file: '5-layers.ts', line: 23, text: '' } }
  new DiffPresenter({ plain: true }).diff(exercise, { rows: [{ yours }, { reference: mount('userxattr') }] })
  vi.restoreAllMocks()
  expect(withoutBlanks(printed)).toContain(withoutBlanks(mount('xattr') + mount('userxattr')))
})

test('of a lab that is passed the part is compared, and of a task without system calls that is said', async () => {
  const { run, write } = await newLearner()
  write('1-cli.ts', solution('1-cli'))
  expect((await run(['diff', '1', '--plain'])).stdout).toContain('the same calls in the same order')
  write('1-cli.ts', solution('1-cli').replace('128 + constants', '0 * constants'))
  expect((await run(['diff', '1', '--plain'])).stdout).toContain(
    'There are no system calls to compare for the task “Say how it ended”',
  )
})
