// Learners' code may do anything: what went wrong is said with its line, in a time limit, and the machine is unharmed.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { pids, status } from '../../lib/kernel/process/procfs.ts'
import { users, thorough } from '../support/minilab.ts'
import { newLearner, solution } from '../labs/support.ts'

/** Lines in the place of what `enterJail` does; the first of them is line 1 of that function's body. */
interface Case {
  name: string
  code: string
  says: RegExp
  /** the words of the line that is named; null where there is none to name */
  at: string | null
}

const CASES: Case[] = [
  {
    name: 'throws',
    code: "throw new Error('oops')",
    says: /^enterJail: your own code threw an error here, “oops”$/,
    at: "throw new Error('oops')",
  },
  { name: 'throws no error', code: "throw 'a string'", says: /threw a string/, at: null },
  { name: 'is no TypeScript', code: 'const = 1', says: /cannot be loaded: SyntaxError/, at: 'const = 1' },
  {
    name: 'uses what cannot be stripped',
    code: 'enum A {}',
    says: /cannot be loaded: SyntaxError.*enum/,
    at: 'enum A {}',
  },
  {
    name: 'imports nothing',
    code: 'nothing.at.all()',
    says: /nothing is not defined/,
    at: 'nothing.at.all()',
  },
  { name: 'loops for ever', code: 'while (true) {}', says: /runs without end/, at: 'while (true) {}' },
  {
    name: 'ends the process',
    code: 'process.exit(0)',
    says: /ended the process itself, with status 0/,
    at: 'process.exit(0)',
  },
  {
    name: 'kills itself',
    code: "process.kill(process.pid, 'SIGKILL'); process.abort()",
    says: /ended by (signal|exit status 1\d\d)/,
    at: null,
  },
  {
    // kill(2): 0 is each process in the caller's process group, also those outside of its pid namespace
    name: 'kills its process group',
    code: "process.kill(0, 'SIGKILL')",
    says: /ended by signal SIGKILL/,
    at: null,
  },
  {
    name: 'throws later',
    code: "setTimeout(() => { throw new Error('later') }); while (tape.ops.length < 1) tape.getpid()",
    says: /^meanwhile: your own code threw an error here, “later”$/,
    at: 'setTimeout(',
  },
  {
    name: 'takes all memory',
    code: 'const all: unknown[] = []; for (;;) all.push(new Array(1e6).fill({ all: all.length }))',
    says: /used more than 512 MiB|without end/,
    at: null,
  },
  {
    name: 'writes without end',
    code: "for (;;) fs.appendFileSync(process.env.MINILAB_DATA + '/full', Buffer.alloc(2 ** 26))",
    says: /EFBIG/,
    at: 'for (;;) fs.append',
  },
  { name: 'removes files', code: 'fs.unlinkSync(CANARY)', says: /EROFS/, at: 'fs.unlinkSync(CANARY)' },
  {
    name: 'calls what the kernel refuses',
    code: "tape.mount('nothing', '/nowhere', 'ext4', 0, null)",
    says: /mount\("nothing".* = -1/,
    at: "tape.mount('nothing', '/nowhere', 'ext4', 0, null)",
  },
  { name: 'exports nothing', code: '', says: /exports no root/, at: null },
]

/** In `npm test`; CI has all of them. */
const QUICK = [
  'loops for ever',
  'throws',
  'kills itself',
  'kills its process group',
  'removes files',
  'calls what the kernel refuses',
  'takes all memory',
]

const text = (one: Case, canary: string) => {
  const head = `import fs from 'node:fs'\nconst CANARY = ${JSON.stringify(canary)}\nvoid [fs, CANARY]\n`
  const file = solution('3-root')
  if (one.name === 'exports nothing') return head + file.replace('export const root', 'const root')
  return (
    head +
    file.replace(/(export function enterJail.*\n)[^}]*/, (_, first: string) => `${first}  ${one.code}\n`)
  )
}

describe.each(users)('as %s', user => {
  const quick = CASES.filter(({ name }) => QUICK.includes(name))
  const others = CASES.filter(one => !quick.includes(one))
  test.concurrent.for([...quick, ...thorough(others)])(
    'one that $name',
    async (one, { onTestFinished: finished }) => {
      const learner = await newLearner(user, finished)
      learner.write('canary', 'alive')
      const canary = join(learner.folder, 'canary')
      learner.write('3-root.ts', text(one, canary))
      // what ends by itself may take its time on a busy machine
      const MINILAB_PATIENCE = /without end|512 MiB/.test(one.says.source) ? '2000' : '60000'
      const { problem, tasks, left } = await learner.check(3, { MINILAB_PATIENCE })
      expect(problem?.what).toMatch(one.says)
      expect(problem?.remedy).toMatch(/\w{3}/)
      if (one.at === null) expect(problem?.at?.file ?? '3-root.ts').toBe('3-root.ts')
      else {
        expect(problem?.at?.text).toContain(one.at)
        const line =
          text(one, canary)
            .split('\n')
            .findIndex(row => row.includes(one.at!)) + 1
        expect(problem?.at).toMatchObject({ file: '3-root.ts', line })
      }
      expect(tasks[0]?.state).toBe('failed')
      expect(left).toEqual([])
      expect(readFileSync(canary, 'utf8')).toBe('alive')
      expect(readdirSync(join(learner.data, 'containers'))).toEqual([])
    },
  )

  test('one that signals everybody reaches nobody, and its children go with it', async () => {
    const learner = await newLearner(user)
    const canary = spawn('sleep', ['1000'])
    onTestFinished(() => void canary.kill())
    const mark = `minilab-child-${process.pid}-${user}`
    learner.write(
      '3-root.ts',
      `import { spawn } from 'node:child_process'
       for (let i = 0; i < 20; i++) spawn('sh', ['-c', 'exec -a ${mark} sleep 1000 || exec sleep 1000'], { detached: true }).unref()
       try { process.kill(${canary.pid!}, 'SIGKILL') } catch {}
       try { process.kill(-1, 'SIGKILL') } catch {}\n${solution('3-root')}`,
    )
    await learner.check(3)
    expect(canary.exitCode).toBe(null)
    expect(status(canary.pid!).State).toMatch(/^S/)
    const named = pids().filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark)
      } catch {
        return false // ended meanwhile
      }
    })
    expect(named).toEqual([])
  })

  test('one that mounts over everything is judged all the same, and what it prints is shown', async () => {
    const learner = await newLearner(user)
    learner.write(
      '3-root.ts',
      solution('3-root').replace(
        "tape.mount('proc', '/proc'",
        "console.log('here I am'); tape.attempt.mount('tmpfs', '/', 'tmpfs', 0, null); tape.mount('proc', '/proc'",
      ),
    )
    const { tasks, said } = await learner.check(3)
    expect(said).toContain('here I am')
    expect(tasks.map(({ state }) => state)).not.toContain('limited')
    expect(existsSync('/etc/passwd')).toBe(true)
  })
})
