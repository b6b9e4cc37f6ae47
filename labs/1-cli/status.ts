import { constants } from 'node:os'
import { certain } from '../../lib/common/certain.ts'
import type { Started } from '../../chapters/1-cli/step.ts'
import { program } from '../../lib/container/parts/process.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Stage } from '../../lib/guide/step.ts'
import { refusalOf } from '../../lib/guide/refusal.ts'
import type { Exit } from '../../lib/kernel/process/child.ts'

const ENDS = ['exit 0', 'exit 42', 'exit 255', 'kill -TERM $$', 'kill -KILL $$']
/** Other signals that kill, tried only in a shell; some of their numbers have two names. */
const SIGNALS = ['SIGABRT', 'SIGHUP', 'SIGUSR1', 'SIGSEGV', 'SIGPIPE', 'SIGXCPU'] as const

interface Shown {
  command: string
  exit: Exit
  /** what a shell printed for the same */
  shell: number
  /** what the learner's function returned */
  mine: unknown
  /** what it threw */
  error?: string
}

/** Processes end in several ways; a real shell and the learner's function each give a status for it. */
export function statusStage(shellStatus: (exit: Exit) => number): Stage<Started> {
  const shown: Shown[] = []
  return {
    title: 'What a shell shows',
    async act(experiment) {
      const { shell } = await experiment.another('a shell that waits for others', { parts: [program] })
      for (const command of ENDS) {
        const other = await experiment.another(`a shell that is told: ${command}`, { parts: [program] })
        other.shell.write(`${command}\n`)
        const exit = await certain(other.child).exit
        const { status } = await shell.run(`sh -c '${command}'`)
        shown.push({ command, exit, shell: status, ...answerOf(shellStatus, exit) })
      }
      for (const signal of SIGNALS) {
        const command = `kill -${signal.slice('SIG'.length)} $$`
        const exit: Exit = { status: null, signal }
        const { status } = await shell.run(`sh -c 'ulimit -c 0; ${command}'`)
        shown.push({ command, exit, shell: status, ...answerOf(shellStatus, exit) })
      }
    },
    checks: [
      {
        id: 'shell-status',
        claim: '`shellStatus` returns what a shell shows',
        look() {
          const wrong = shown.find(({ mine, shell }) => mine !== shell)
          return finding(
            !wrong,
            shown.map(({ command, shell }) => seen(`sh -c '${command}'; echo $?`, shell, null)),
            wrong && whyWrong(wrong),
          )
        },
      },
    ],
  }
}

/** An error counts as an answer, so that the other tasks can be checked without this one. */
function answerOf(shellStatus: (exit: Exit) => number, exit: Exit): Pick<Shown, 'mine' | 'error'> {
  try {
    return { mine: shellStatus(exit) }
  } catch (error) {
    const refusal = refusalOf(error)
    if (!refusal) throw error
    return { mine: undefined, error: refusal.message + (refusal.at ? ` (line ${refusal.at.line})` : '') }
  }
}

function whyWrong({ exit: { status, signal }, shell, mine, error }: Shown): string {
  if (error !== undefined) return error
  const end = `{status: ${status}, signal: ${signal && `'${signal}'`}}`
  if (mine instanceof Promise) return `For ${end} you return a promise: shellStatus must not be async.`
  const given = `For ${end} you return ${typeof mine === 'string' ? `the text '${mine}'` : String(mine)}, a shell shows ${shell}`
  if (typeof mine === 'string') return `${given}: a status is a number.`
  const number = signal && constants.signals[signal]
  if (Number.isNaN(mine) && status === 0)
    return `${given}. Most likely, you used ||, which takes 0 for nothing; ?? tests for null only.`
  if (status !== null) return `${given}: a status is shown as it is.`
  if (mine === number)
    return `${given}: that is the number of the signal alone, which could also be an exit status.`
  if (mine === 128) return `${given}: that is the same for every signal; add which one it was.`
  if (Number.isNaN(mine) || Number(mine) > 0)
    return `${given}: it is 128 plus the number of the signal, ${number}.`
  return `${given}: a death by signal must not look like an exit, and least of all like success.`
}
