import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Call, parameters, syscalls } from '../../lib/kernel/syscalls/syscalls.ts'

const project = join(import.meta.dirname, '../..')

/** The comment over each entry of the table. */
const comments = new Map(
  [
    ...readFileSync(join(project, 'lib/kernel/syscalls/syscalls.ts'), 'utf8').matchAll(
      /\/\*\* (.*) \*\/\n {2}(\w+): \[/g,
    ),
  ].map(([, comment, call]) => [call, comment]),
)

const RESERVED = ['new', 'arguments', 'in']
const safe = (name: string) => (RESERVED.includes(name) ? `${name}_` : name)

function method(call: Call): string {
  const list = parameters(call).map(({ name }, i) => `${safe(name)}: Arg<'${call}', ${i}>`)
  return `  /** ${comments.get(call)} */\n  ${call}(${list.join(', ')}): Later`
}

// an editor shows no comments, and no names of parameters, of what is mapped from a table: so they are written out
test('recorder.ts says what the table of system calls says: npm test -- recorder -u writes it', async () => {
  const text = `import type { Filled } from '../syscalls/arena.ts'
import type { Later } from './tape.ts'
import type { Args, Call } from '../syscalls/syscalls.ts'

/** An argument as a value, or, where it is a number, as the result of an earlier call, or what that fills. */
type Arg<C extends Call, I extends number> = number extends Args<C>[I]
  ? Args<C>[I] | Later | Filled
  : Args<C>[I]

/** The calls of syscalls.ts as methods that record them; written by test/kernel/recorder.test.ts, for editors to show. */
export interface Recorder {
${(Object.keys(syscalls) as Call[]).map(method).join('\n')}
}
`
  const formatted = execFileSync(
    process.execPath,
    [join(project, 'node_modules/oxfmt/bin/oxfmt'), '--stdin-filepath', 'lib/kernel/tape/recorder.ts'],
    { cwd: project, input: text, encoding: 'utf8' },
  )
  await expect(formatted).toMatchFileSnapshot('../../lib/kernel/tape/recorder.ts')
})
