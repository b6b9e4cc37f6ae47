import { readlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import {
  descriptors,
  namespaceInode,
  NAMESPACES,
  status,
  nulSeparated,
} from '../../lib/kernel/process/procfs.ts'
import type { Started } from './step.ts'
import { counted } from '../../lib/guide/text.ts'

const list = (items: readonly string[]) => JSON.stringify(items)
const isSame = (a: readonly string[], b: readonly string[]) => list(a) === list(b)
const SIGUSR1 = 10

/** The kinds of namespaces in which the process differs from us. */
const ownNamespaces = (pid: number) =>
  NAMESPACES.filter(kind => namespaceInode(pid, kind) !== namespaceInode('self', kind))

/** Whether a signal mask, such as `SigIgn` in /proc/<pid>/status, has a signal: signal n is bit n - 1. */
const hasSignal = (mask: string | undefined, signal: number) =>
  ((BigInt('0x' + (mask ?? '0')) >> BigInt(signal - 1)) & 1n) === 1n

export const checks = {
  argv: {
    id: 'argv',
    claim: 'every argument arrived as given, even with spaces in it or empty',
    look({ pid, args }) {
      const got = nulSeparated(`/proc/${pid}/cmdline`)
      return finding(isSame(got, args), seen(`/proc/${pid}/cmdline`, null, list(got)), whyArgs(args, got))
    },
  },
  environ: {
    id: 'environ',
    claim: 'its environment is exactly what it was given, with nothing of ours',
    look({ pid, env }) {
      const got = nulSeparated(`/proc/${pid}/environ`)
      const ours = nulSeparated('/proc/self/environ')
      const names = (entries: string[]) => entries.map(e => e.split('=')[0]).join(' ')
      return finding(
        isSame(got, env),
        seen(`/proc/${pid}/environ`, counted(ours.length, 'variable'), names(got)),
        got.some(entry => ours.includes(entry) && !env.includes(entry))
          ? 'It has our variables, including any secrets: our own environment was passed to execve.'
          : whyEnv(
              names(env.filter(e => !got.includes(e))),
              names(got.filter(e => !env.includes(e))),
              got.length,
            ),
      )
    },
  },
  cwd: {
    id: 'cwd',
    claim: 'its working directory is the one it was given',
    look({ pid, cwd }) {
      const got = readlinkSync(`/proc/${pid}/cwd`)
      return finding(
        got === cwd,
        seen(`/proc/${pid}/cwd`, process.cwd(), got),
        got === process.cwd()
          ? `It should be in ${cwd}, but is still in our working directory: chdir was left out.`
          : `It should be in ${cwd}, but was sent elsewhere.`,
      )
    },
  },
  descriptors: {
    id: 'descriptors',
    claim: 'it has descriptors 0, 1 and 2, and no other of ours',
    async look({ pid, shell }) {
      await shell.run(':') // when it answers, it has closed the files that its loader opened
      const got = descriptors(pid)
      const stdio = ['0', '1', '2']
      const missing = stdio.filter(fd => !(fd in got))
      // a shell may keep copies of these three, above 9
      const own = (fd: string) => Number(fd) > 9 && stdio.some(n => got[n] === got[fd])
      const leaked = Object.keys(got).filter(fd => !stdio.includes(fd) && !own(fd))
      return finding(
        missing.length + leaked.length === 0,
        seen(
          `/proc/${pid}/fd`,
          Object.keys(descriptors('self')).length + ' open',
          Object.keys(got).join(' ') || 'none',
        ),
        leaked.length
          ? `It can use ${leaked.map(fd => `${fd} (${got[fd]})`).join(', ')}: neither closed nor marked close-on-exec before execve.`
          : `There is no ${missing.join(', ')}: it was not passed on. Node marks its own 0, 1 and 2 close-on-exec.`,
      )
    },
  },
  parent: {
    id: 'parent',
    claim: 'it is our child',
    look({ pid }) {
      const parent = Number(status(pid).PPid)
      return finding(
        parent === process.pid,
        seen(`/proc/${pid}/status (PPid)`, process.pid, parent),
        `Its parent is ${parent}, which adopts orphans: it was started by a process in between, which has ended.`,
      )
    },
  },
  exit: {
    id: 'exit-status',
    claim: 'its exit status reaches us: 42',
    look({ exited }) {
      return finding(
        exited?.status === 42,
        seen('waitid(P_PIDFD), told: exit 42', null, exited ? `status ${exited.status}` : 'still running'),
        exited?.status === 42 << 8
          ? `${42 << 8} is 42 · 256: the status word of wait(2) was used as it is, without WEXITSTATUS.`
          : 'This is how another process ended: the status of a process in between was taken for that of the program.',
      )
    },
  },
  signal: {
    id: 'exit-signal',
    claim: 'a death by a signal is distinguished from an exit: SIGTERM',
    look({ killed }) {
      const { SIGTERM } = constants.signals
      return finding(
        killed?.signal === 'SIGTERM' && killed.status === null,
        seen('waitid(P_PIDFD), told: kill -TERM $$', null, killed?.signal ?? `status ${killed?.status}`),
        killed?.status === SIGTERM
          ? `${SIGTERM} is the number of SIGTERM: it was read as a status, without checking whether the process exited or was killed (si_code, WIFSIGNALED).`
          : killed?.status === 128 + SIGTERM
            ? `${128 + SIGTERM} is 128 + SIGTERM, which is how a shell reports it: there is a shell in between, and its status was read.`
            : 'This is how another process ended: we waited for a process in between, not for the program.',
      )
    },
  },
  caught: {
    id: 'signal-caught',
    claim: 'a signal that we send reaches its handler',
    look({ pid, answered }) {
      const { SigCgt, SigIgn } = status(pid) // proc_pid_status(5)
      const how = hasSignal(SigCgt, SIGUSR1) ? 'handled' : hasSignal(SigIgn, SIGUSR1) ? 'ignored' : 'neither'
      return finding(
        how === 'handled' && answered === 'caught SIGUSR1',
        seen(
          `/proc/${pid}/status (SigCgt, SigIgn)`,
          null,
          `SIGUSR1 ${how}, it said: ${answered || 'nothing'}`,
        ),
        how === 'ignored'
          ? 'SIGUSR1 was ignored when the program started: execve keeps that setting, and a shell then cannot catch the signal.'
          : 'The program did not get it: the signal was sent to a process in between.',
      )
    },
  },
  namespaces: {
    id: 'nothing-isolated',
    claim: 'it shares all its namespaces with us: nothing is isolated yet',
    own: ({ pid }: Scene) => {
      const own = ownNamespaces(pid).length
      return own === 1 ? '1 (pid)' : String(own)
    },
    look({ pid }) {
      return finding(
        ownNamespaces(pid).length === 0,
        NAMESPACES.map(kind =>
          seen(
            `/proc/${pid}/ns/${kind}`,
            namespaceInode('self', kind) ?? 'none',
            namespaceInode(pid, kind) ?? 'none',
          ),
        ),
        `These differ: ${ownNamespaces(pid).join(' ')}. Most likely, clone3 was already called with CLONE_NEW* flags.`,
      )
    },
  },
} satisfies Record<string, Check<Started> & { own?(scene: Scene): string }>

/** What happened to the environment: names that are missing, names that were not requested, and how many arrived at all. */
function whyEnv(missing: string, more: string, arrived: number): string {
  if (arrived === 0) return `${missing} did not arrive: execve was called with an empty environment.`
  if (missing)
    return `${missing} did not arrive${more && `, and ${more} did, in another form`}: only a part of it was passed on.`
  return `It also has ${more}, which it was not meant to get.`
}

/** What happened to the arguments, if what arrived shows it. */
function whyArgs(args: readonly string[], got: readonly string[]): string {
  const line = (words: readonly string[]) => words.join(' ').trim().replace(/ +/g, ' ')
  if (got.length > args.length && isSame(got.slice(-args.length), args))
    return `What we started is not the program but a wrapper: ${list(got.slice(0, -args.length))} comes first.`
  if (isSame(got, args.filter(Boolean)))
    return `Asked for ${list(args)}: an empty argument is an argument too, but it was left out.`
  if (got.length === 1 && line(got) === line(args))
    return `Asked for ${list(args)}: the arguments were joined into one string, but execve takes a list.`
  if (line(got) === line(args))
    return `Asked for ${list(args)}: the arguments were joined into one string, and split again at the spaces, as a shell does.`
  return `Asked for ${list(args)}: something else was started.`
}
