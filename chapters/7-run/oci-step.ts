import { spec as withLimits } from './spec.ts'
import { hardening } from '../../lib/container/parts/hardening.ts'
import { limits } from '../../lib/container/parts/limits.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { program } from '../../lib/container/parts/process.ts'
import { root } from '../../lib/container/parts/root.ts'
import type { Step } from '../../lib/guide/step.ts'
import { ociChecks as checks } from './oci-checks.ts'
import { create, execAndPause, type Life, notBegun, remove, start } from './oci-life.ts'

/** `minilab step 7 --oci`: a container as an engine makes it, by the commands of minilab-oci, one process after the other. */
export const step: Step<Life> = {
  number: 7,
  name: 'run',
  title: 'A container by the commands that engines use',
  parts: [namespaces, root, limits, hardening, program],
  teaches: [],
  scene: notBegun,
  spec: withLimits,

  stages: [
    {
      title: 'Create: all is built, and nothing runs yet',
      manual: ['fifo(7)', 'memfd_create(2)'],
      source: { file: 'lib/container/held.ts', symbol: 'Held' },
      predict: {
        question: 'When `create` has ended, which program is the process that waits?',
        choices: ['minilab-oci', 'a few hundred bytes of ours', "the container's shell"],
        answer: ({ waiting }) =>
          waiting.startsWith('/memfd:minilab') ? 'a few hundred bytes of ours' : 'minilab-oci',
        why: 'It has executed the second stage, a file in memory. It needs no process of minilab any more.',
      },
      act: create,
      checks: [checks.created, checks.built, checks.alone],
    },
    {
      title: 'Start: the second stage goes on',
      manual: ['capset(2)', 'seccomp(2)', 'execve(2)'],
      source: { file: 'lib/oci/start.ts', symbol: 'startContainer' },
      act: start,
      checks: [checks.started, checks.rights, checks.once],
    },
    {
      title: 'Exec, pause and resume: from outside',
      manual: ['setns(2)', 'cgroups(7)'],
      source: { file: 'lib/oci/commands/exec.ts', symbol: 'run' },
      act: execAndPause,
      checks: [checks.joined, checks.frozen, checks.goesOn],
    },
    {
      title: 'Delete: nothing is left',
      manual: ['rmdir(2)', 'kill(2)'],
      source: { file: 'lib/oci/remove.ts', symbol: 'removeContainer' },
      act: remove,
      checks: [checks.gone],
    },
  ],

  recap:
    'An engine knows nothing of namespaces or capabilities. It writes a config.json, runs six commands of a runtime, and reads what they answer. Any runtime with these commands will do.',
  next: 'Let a real engine do it: `minilab book 7`, "From dockerd to the process".',
}
