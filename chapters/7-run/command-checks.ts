import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { JOINED, type Ran } from './commands.ts'

/** Checks of what the commands of `minilab` do. */

const NOT_THERE =
  'ps does not find it. Likeliest: it ended with the command that had started it (PR_SET_PDEATHSIG), so there was nothing to join or to kill.'

export const byCommand = {
  run: {
    id: 'run-status',
    claim: '`minilab run` passes on the output and the exit status of its program',
    look({ run }) {
      return finding(
        run.status === 7 && run.output === 'I am process 1',
        seen('waitid, stdout', null, `${run.output}, status ${run.status}`),
        run.output === 'I am process 1'
          ? `Its program ended with 7, and ${run.status} came out. Likeliest: the exit status of a helper in between was passed on.`
          : 'Its program is not process 1. Likeliest: a shell in between is, and gets the signals meant for the program; or there is no pid namespace.',
      )
    },
  },

  background: {
    id: 'run-detached',
    claim: 'a container in the background keeps running after the command has ended',
    look({ listed }) {
      return finding(
        listed !== undefined && listed.pids.at(-1) === 1,
        seen(`/proc/${listed?.pid}/status (NSpid)`, listed?.pids[0] ?? 'none', listed?.pids.at(-1) ?? 'none'),
        NOT_THERE,
      )
    },
  },

  exec: {
    id: 'exec-joins',
    claim: "`exec` runs in the same namespaces as the container's first process",
    look({ listed, exec }) {
      const joined = exec.output.split('\n')
      const missed = JOINED.filter(
        kind => !joined.some(ns => ns.startsWith(kind) && listed?.namespaces.includes(ns)),
      )
      return finding(
        exec.status === 0 && missed.length === 0,
        seen(
          `/proc/${listed?.pid}/ns, /proc/self/ns`,
          null,
          `the same: ${JOINED.filter(kind => !missed.includes(kind)).join(' ') || 'none'}`,
        ),
        !listed
          ? NOT_THERE
          : missed.length === JOINED.length
            ? 'It shares none of them. Likeliest: it started a container like the first, or setns was given the pidfd of another process.'
            : `It is not in the container's: ${missed.join(' ')}. Likeliest: setns was given only some of the CLONE_NEW flags.`,
      )
    },
  },

  removed: {
    id: 'kill-rm',
    claim: 'after `kill` and `rm` nothing is left of it',
    look({ listed, killed, ended, left }) {
      return finding(
        killed.status === 0 && ended && !left,
        seen(
          `/proc/${listed?.pid}, minilab ps -a`,
          ended ? 'gone' : listed ? 'still there' : 'never there',
          left ? 'listed' : 'not listed',
        ),
        !listed
          ? NOT_THERE
          : !ended
            ? 'It was still there after kill. Likeliest: it was sent SIGTERM, which process 1 of a pid namespace ignores where it has no handler (pid_namespaces(7)); or another process was sent the signal.'
            : 'ps -a still lists it. Likeliest: rm ended it, but did not remove its state.',
      )
    },
  },
} satisfies Record<string, Check<Ran>>
