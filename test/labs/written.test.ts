import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { type MinilabError } from '../../lib/common/errors.ts'
import { asWritten } from '../../lib/labs/learners-code.ts'

/** What a learner is told to do about an error that their code has thrown. */
const adviceFor = (error: Error) =>
  (asWritten(error, '/mine', 'root.inside') as MinilabError<'refused'>).remedy

const errorOf = (code: string): Error => {
  try {
    runInNewContext(code)
  } catch (error) {
    return Object.assign(new Error((error as Error).message), { name: (error as Error).name }) // of this realm
  }
  throw new Error(`${code} throws nothing`)
}

test('a call that is made without its tape is named with it', () => {
  expect(adviceFor(errorOf("chdir('/')"))).toContain('write `tape.chdir(…)`')
  expect(adviceFor(errorOf("pivot_root('.', '.')"))).toContain('write `tape.pivot_root(…)`')
  expect(adviceFor(errorOf('MS_BIND | 1'))).toContain('is it imported?')
})

test('what is used before its line is to be declared before', () => {
  for (const code of ['held; const held = 1', 'const held = held + 1'])
    expect(adviceFor(errorOf(code))).toMatch(/declares `held`.*put it before/)
})
