import { readlinkSync } from 'node:fs'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import { descriptors, namespaceInode, NAMESPACES, status, words } from '../../lib/kernel/procfs.ts'
import type { Started } from './step.ts'

const list = (items: string[]) => JSON.stringify(items)
const same = (a: string[], b: string[]) => list(a) === list(b)

/** The kinds of namespaces in which the process differs from us. */
const ownNamespaces = (pid: number) =>
  NAMESPACES.filter(kind => namespaceInode(pid, kind) !== namespaceInode('self', kind))

export const checks = {
  argv: {
    id: 'argv',
    claim: 'the arguments arrived one by one, blanks and empty ones too',
    look({ pid, args }) {
      const got = words(`/proc/${pid}/cmdline`)
      return finding(
        same(got, args),
        seen(`/proc/${pid}/cmdline`, null, list(got)),
        `Asked for ${list(args)}. Likeliest: the arguments were joined into one string and split again by a shell.`,
      )
    },
  },
  environ: {
    id: 'environ',
    claim: 'its environment is exactly what it was given, nothing of ours',
    look({ pid, env }) {
      const got = words(`/proc/${pid}/environ`)
      return finding(
        same(got, env),
        seen(
          `/proc/${pid}/environ`,
          `${words('/proc/self/environ').length} variables`,
          got.map(e => e.split('=')[0]).join(' '),
        ),
        `Asked for ${list(env)}, found ${list(got)}. Likeliest: our own environment was passed on to execve.`,
      )
    },
  },
  cwd: {
    id: 'cwd',
    claim: 'it works in the directory that it was given',
    look({ pid, cwd }) {
      const got = readlinkSync(`/proc/${pid}/cwd`)
      return finding(
        got === cwd,
        seen(`/proc/${pid}/cwd`, process.cwd(), got),
        `Asked for ${cwd}. Likeliest: chdir was left out, so the child kept our working directory.`,
      )
    },
  },
  descriptors: {
    id: 'descriptors',
    claim: 'it has descriptors 0, 1 and 2, and no other of ours',
    look({ pid }) {
      const got = Object.keys(descriptors(pid)).filter(fd => Number(fd) < 10) // a shell keeps its own above 9
      return finding(
        same(got, ['0', '1', '2']),
        seen(`/proc/${pid}/fd`, Object.keys(descriptors('self')).length + ' open', got.join(' ')),
        'Likeliest: descriptors were not marked close-on-exec before execve, or the three were never handed on.',
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
        'Its parent is somebody else. Likeliest: it was started through another process, which then ended.',
      )
    },
  },
  exit: {
    id: 'exit-status',
    claim: 'its exit status reaches us: 42',
    look({ exited }) {
      return finding(
        exited?.status === 42,
        seen('waitid(P_PIDFD)', null, exited ? `status ${exited.status}` : 'still running'),
        'Likeliest: the status of a shell or helper in between was taken for that of the program.',
      )
    },
  },
  signal: {
    id: 'exit-signal',
    claim: 'a death by signal is told apart from an exit: SIGTERM',
    look({ killed }) {
      return finding(
        killed?.signal === 'SIGTERM' && killed.status === null,
        seen('waitid(P_PIDFD)', null, killed?.signal ?? `status ${killed?.status}`),
        'Likeliest: only the exit status was read, and si_code, which says how the process ended, was ignored.',
      )
    },
  },
  caught: {
    id: 'signal-caught',
    claim: 'a signal that we send reaches its handler',
    look({ pid, answered }) {
      const caught = BigInt('0x' + (status(pid).SigCgt ?? '0'))
      const handled = (caught >> 9n) & 1n // SIGUSR1 is 10: bit 9 of the mask, proc_pid_status(5)
      return finding(
        handled === 1n && answered === 'caught SIGUSR1',
        seen(
          `/proc/${pid}/status (SigCgt)`,
          null,
          `${handled ? 'SIGUSR1 handled' : 'no handler'}, it said: ${answered || 'nothing'}`,
        ),
        'Likeliest: the signal went to another process (a wrapper), or was blocked or ignored when the program started.',
      )
    },
  },
  namespaces: {
    id: 'nothing-isolated',
    claim: 'all its namespaces are the ones that we are in: nothing is isolated yet',
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
        `These differ: ${ownNamespaces(pid).join(' ')}. Likeliest: clone3 was called with CLONE_NEW* flags already.`,
      )
    },
  },
} satisfies Record<string, Check<Started> & { own?(scene: Scene): string }>
