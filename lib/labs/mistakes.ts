import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { codeFolder, isCheckout } from '../common/own-folder.ts'
import { runProgram } from '../common/run-program.ts'
import { findProgram } from '../container/net/rule-tool.ts'
import type { Exercise } from './exercise.ts'
import { MinilabError, type SourceLine } from '../common/errors.ts'
import { readLearners } from './read-learners.ts'
import { fileOf, type Workspace } from './workspace.ts'

/** Time limit of the type checker, in milliseconds: if a file imports a FIFO, reading it would never end. */
const LIMIT = Number(process.env.MINILAB_TRIAL_LIMIT ?? 60_000)

/** What the type checker says about a line. Such code runs all the same: Node removes types without checking them. */
export interface Mistake {
  at: SourceLine
  says: string
}

/** The output of `oxlint -f json`. */
interface Printed {
  /** a file that cannot be parsed as TypeScript has no code */
  diagnostics: { message: string; code?: string; labels: { span: { line: number } }[] }[]
}

/**
 * Type errors in a learner's file, and promises that nothing waits for; empty if no checker is installed. Rejects when `signal`
 * ends it.
 */
export async function mistakesIn(
  workspace: Workspace,
  lab: Pick<Exercise, 'number' | 'name'>,
  signal?: AbortSignal,
): Promise<Mistake[]> {
  const checker = findChecker()
  const file = fileOf(workspace, lab)
  if (!checker || !existsSync(file)) return []
  const config = join(import.meta.dirname, 'mistakes.json')
  const flags = ['--type-aware', '--type-check', '-c', config, '-f', 'json']
  const command = [process.execPath, checker.program, ...flags, basename(file)]
  // timeout(1) makes a process group and ends all of it; otherwise the program that the checker starts would continue
  const timeout = findProgram('timeout')
  const limited = timeout ? [timeout, '-s', 'KILL', String(LIMIT / 1000), ...command] : command
  const {
    stdout,
    stderr,
    signal: killed,
    status,
  } = await runProgram(limited, {
    cwd: workspace.folder,
    // it reads one file, and the trial needs the other processor: without threads and collections of garbage it takes a quarter less
    env: { OXLINT_TSGOLINT_PATH: checker.types, GOGC: 'off', GOMEMLIMIT: '512MiB', GOMAXPROCS: '1' },
    ...(signal && { signal }),
  })
  const lines = readLearners(file).toString().split('\n')
  if (!stdout && (killed === 'SIGKILL' || status === 128 + 9))
    return [
      {
        at: { file: basename(file), line: 1, text: lines[0]?.trim() ?? '' },
        says: `the type checker had not ended after ${LIMIT / 1000} s. Which file does yours import that cannot be read?`,
      },
    ]
  if (!stdout.startsWith('{'))
    throw new MinilabError(
      'machine',
      `the type checker failed: ${(stderr || stdout).trim().split('\n')[0]}`,
      'the verdict does not need it; npm ci installs it again',
    )
  return (JSON.parse(stdout) as Printed).diagnostics
    .map(({ message, code = '', labels: [label] }) => {
      const line = label?.span.line ?? 1
      return {
        at: { file: basename(file), line, text: lines[line - 1]?.trim() ?? '' },
        says: inWords(message, code),
      }
    })
    .sort((a, b) => a.at.line - b.at.line)
}

function inWords(message: string, code: string): string {
  if (code.includes('no-floating-promises'))
    return 'this makes a promise, and nothing waits for it: write `await` before it'
  if (code.includes('no-misused-promises'))
    return 'this function is async, and nothing waits for its promise: forEach and its like do not. Use `for (… of …)` with `await` in an async function'
  const says = message.replace(/\n.*/s, '').replace(/\.$/, '')
  return /type 'Promise</.test(says) ? `${says}: write \`await\` before the promise` : says
}

/** The type checker and its helper. A checkout has them for our own code; the npm package does not. */
function findChecker(): { program: string; types: string } | undefined {
  if (!isCheckout) return undefined
  const folders = createRequire(join(codeFolder, 'package.json')).resolve.paths('oxlint') ?? []
  const modules = folders.find(folder => existsSync(join(folder, 'oxlint/bin/oxlint')))
  // the program itself: .bin/tsgolint is a script that would start another Node
  const types = modules && join(modules, `@oxlint-tsgolint/linux-${process.arch}/tsgolint`)
  return types && existsSync(types) ? { program: join(modules, 'oxlint/bin/oxlint'), types } : undefined
}
