import { hardening } from '../../lib/container/parts/hardening.ts'
import { layers } from '../../lib/container/parts/layers.ts'
import { limits } from '../../lib/container/parts/limits.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { network } from '../../lib/container/parts/network.ts'
import { planNetwork } from '../../lib/container/net/network-plan.ts'
import { program } from '../../lib/container/parts/process.ts'
import { root } from '../../lib/container/parts/root.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import { onImageLayers } from '../../lib/guide/image-layers.ts'
import type { Step } from '../../lib/guide/step.ts'
import { checks } from './checks.ts'
import { byCommandLine, COMMANDS, commands, type Ran, unasked } from './commands.ts'
import { MEMORY, spec } from './spec.ts'

export const step: Step<Ran> = {
  ...chapter('run'),
  parts: [namespaces, layers, root, limits, network, hardening, program],
  teaches: ['hardening'],
  scene: () => ({ memory: MEMORY, ...unasked() }),

  spec,

  plan(plan, experiment) {
    onImageLayers(plan)
    // it has no business with its neighbours on the bridge: it cannot reach any other isolated interface
    plan.network = { ...planNetwork('bridge', `mlb-${experiment.id}`), isolated: true }
  },

  stages: [
    {
      title: 'Fewer rights for root',
      manual: ['capabilities(7)', 'prctl(2)', 'seccomp(2)'],
      source: { file: 'lib/container/parts/hardening.ts', symbol: 'hardening' },
      predict: {
        question: "How many capabilities does the container's root keep?",
        choices: ['none', '14', 'all'],
        answer: checks.capabilities.count,
        why: "It keeps Docker's default set: enough for package managers and servers, and nothing that configures the host.",
      },
      act: async experiment => void (await experiment.begin()),
      checks: [
        checks.capabilities,
        checks.bounding,
        checks.noNewPrivileges,
        checks.seccomp,
        checks.descriptors,
      ],
    },
    {
      title: 'What root tries',
      manual: ['mount(2)', 'sethostname(2)', 'capabilities(7)'],
      predict: {
        question: 'How many of the four will succeed?',
        choices: ['0', '1', '4'],
        answer: checks.attempts.succeeded,
        why: 'The missing capabilities stop the first two, the seccomp filter the third, and the read-only /proc/sys the last. Several are stopped twice.',
      },
      checks: [checks.attempts],
    },
    {
      title: 'All seven chapters at once',
      manual: ['namespaces(7)', 'bridge(8)'],
      checks: [checks.namespaces, checks.layers, checks.limits, checks.network, checks.isolated],
    },
    {
      title: COMMANDS,
      manual: ['setns(2)', 'kill(2)'],
      source: { file: 'lib/container/run/run.ts', symbol: 'runContainer' },
      act: experiment => byCommandLine(experiment, commands),
      checks: [checks.run, checks.background, checks.exec, checks.removed],
    },
  ],

  recap:
    'You have seen every system call between a shell and a container; there is nothing else. A container is an ordered list of parts, and each part is a few calls.',
  next: 'Try to break out of `minilab run -it default sh`; `minilab step 3 --runtime runc` shows that another runtime does the same.',
}
