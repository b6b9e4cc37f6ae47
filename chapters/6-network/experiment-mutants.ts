import { MinilabError } from '../../lib/common/errors.ts'
import { runRuleTool } from '../../lib/container/net/rule-tool.ts'
import { addNat, type Nat, type NatRules, type NatTool } from '../../lib/container/net/nat.ts'
import { planNetwork } from '../../lib/container/net/network-plan.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import { changeAct, type Mutant } from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'
import { writeControl } from '../../lib/kernel/cgroup/control-file.ts'
import { children } from '../../lib/kernel/process/procfs.ts'
import { openRtnetlinkIn } from '../../lib/kernel/netlink/rtnetlink.ts'
import { beARouter, eachMode, loopback, MODES, sendToSecond, translate } from './experiments.ts'
import { forwardingKnob } from './fault.ts'
import { say } from './cable-mutants.ts'
import type { Wiring } from './wiring.ts'

/** Wrong ways to use a network namespace, to route, to translate addresses and to choose a mode. */

/** Words for the checks of connections and of datagrams, both of which fail without an answer. */
const through = (words: string, ...more: string[]) =>
  say(words, 'masquerade', 'published-port', 'both-ways', ...more)
const published = (words: string) => say(words, 'published-port', 'both-ways', 'rule-counter')

export const mutants: Mutant<Wiring>[] = [
  {
    name: 'loopback-up-too-early',
    misconception:
      'the loopback interface was set up as soon as the namespace existed, and looked at only then',
    breaks: {
      'empty-network': 'only after it had been set up',
      'loopback-up': 'It already went through before',
    },
    change: step =>
      changeAct(step, 'An empty network namespace', async (experiment, right) => {
        await right(experiment)
        using net = await openRtnetlinkIn(experiment.scene.bare)
        net.setUp('lo')
      }),
  },
  {
    name: 'loopback-up-on-host',
    misconception: "the request to set lo up was sent from the host's namespace, so it set up the host's lo",
    breaks: { 'loopback-up': 'lo is still down' },
    change: step =>
      changeAct(step, 'The loopback interface', experiment => loopback(experiment, experiment.scene.host)),
  },
  {
    name: 'one-namespace-for-two',
    misconception: 'the second program was started in the network namespace of the first, as in a pod',
    breaks: {
      'two-addresses': 'joined that of the first',
      'container-counters': 'Both are in one network namespace',
      neighbour: 'Both are in one network namespace',
    },
    change: step =>
      changeAct(step, 'A second container', async experiment => {
        experiment.box?.shell.write('sleep 1000 &\n')
        await experiment.box?.shell.run('true') // when the shell answers, it has forked
        const [second = 0] = children(experiment.scene.pid)
        await sendToSecond(experiment, second, experiment.box?.container.cable?.address)
      }),
  },
  {
    name: 'no-forwarding',
    misconception: 'a machine with two interfaces was taken for a router, and forwarding was left off',
    breaks: through('Likeliest: it was never switched on', 'no-way-back', 'forwarding'),
    change: step => forwarding(step, () => []),
  },
  {
    name: 'forwarding-only-out',
    misconception:
      "forwarding was switched on for the interface on which the container's packets leave the host",
    breaks: through('what counts is the interface on which they arrive', 'no-way-back', 'forwarding'),
    change: step => forwarding(step, (_, out) => [out]),
  },
  {
    name: 'forwarding-only-in',
    misconception: "forwarding was switched on for the container's packets, and not for the answers to them",
    breaks: through("the outside's packets arrive on the other interface", 'forwarding'),
    change: step => forwarding(step, bridge => [bridge]),
  },
  {
    name: 'masquerade-left-out',
    misconception: 'the host was a router, but had no rule to lend the container its address',
    breaks: { masquerade: 'the host was given no rule to masquerade' },
    change: step => rules(step, nat => ({ ...nat, masquerade: [] })),
  },
  {
    name: 'masquerade-other-network',
    misconception: "the rule to masquerade was written for docker's network, and not for this bridge's",
    breaks: { masquerade: 'The rule is for packets from 172.17.0.0/16' },
    change: step =>
      rules(step, nat => ({
        ...nat,
        masquerade: nat.masquerade.map(({ out }) => ({ from: '172.17.0.0/16', out })),
      })),
  },
  {
    name: 'masquerade-other-link',
    misconception: 'the rule to masquerade names the interface on which packets arrive, the bridge',
    breaks: { masquerade: 'The rule is for packets that leave through mlb-' },
    change: step =>
      rules(step, (nat, { scene }) => ({
        ...nat,
        masquerade: nat.masquerade.map(({ from }) => ({ from, out: scene.bridge })),
      })),
  },
  {
    name: 'published-ports-confused',
    misconception:
      "the two ports were confused: the rule is for the container's port, and sends to the host's",
    breaks: published('the two ports were confused'),
    change: step =>
      rules(step, nat => ({
        ...nat,
        publish: nat.publish.map(({ at, to }) => ({
          at: { ...at, port: to.port },
          to: { ...to, port: at.port },
        })),
      })),
  },
  {
    name: 'published-to-the-bridge',
    misconception: "the rule sends connections to the bridge's address in place of the container's",
    breaks: published('The rule sends to 10.44.0.1:80'),
    change: step =>
      rules(step, (nat, { box }) => ({
        ...nat,
        publish: nat.publish.map(({ at, to }) => ({
          at,
          to: { ...to, address: box?.container.cable?.gateway ?? '' },
        })),
      })),
  },
  {
    name: 'published-in-output',
    misconception:
      "the rule is where only the host's own packets pass, and not where packets from outside arrive",
    breaks: published("which only the host's own packets pass"),
    change: step =>
      rewritten(step, {
        nft: text => text.replace('hook prerouting', 'hook output'),
        iptables: text => text.replace('PREROUTING', 'OUTPUT'),
      }),
  },
  {
    name: 'no-connection-tracking',
    misconception: 'only incoming packets were rewritten, and the answers were forgotten',
    breaks: published('without connection tracking'),
    change: step =>
      rewritten(step, {
        nft: text =>
          text
            .replace('type nat hook prerouting priority -100', 'type filter hook prerouting priority raw')
            .replace(/dnat to (\S+):(\d+)/, 'notrack ip daddr set $1 tcp dport set $2'),
      }),
  },
  {
    name: 'mode-none-with-cable',
    misconception: 'mode none was taken for “nothing published”, so the container was connected anyway',
    breaks: { 'mode-none': 'it was given a cable anyway' },
    change: step =>
      modes(step, ({ scene }) => ({
        none: container => (container.network = planNetwork('bridge', scene.bridge)),
      })),
  },
  {
    name: 'mode-none-on-host',
    misconception: 'mode none was taken for “no network namespace”',
    breaks: { 'mode-none': 'CLONE_NEWNET is missing' },
    change: step => modes(step, () => ({ none: MODES.host })),
  },
  {
    name: 'mode-host-with-namespace',
    misconception: 'in mode host no cable was made, but CLONE_NEWNET was passed to clone anyway',
    breaks: { 'mode-host': 'CLONE_NEWNET was among the clone flags' },
    change: step => modes(step, () => ({ host: container => (container.network = planNetwork('host')) })),
  },
]

/** The step with forwarding switched on only for the chosen interfaces. */
function forwarding(step: Step<Wiring>, choose: (bridge: string, out: string) => string[]): Step<Wiring> {
  return changeAct(step, 'The host as a router', experiment =>
    beARouter(experiment, (bridge, out) => {
      // a new network namespace may take it over from the machine: ip-sysctl.rst, devconf_inherit_init_net
      for (const link of [bridge, out]) writeControl(forwardingKnob(link), '0')
      return choose(bridge, out)
    }),
  )
}

const NAT = 'A published port, and a borrowed address'

/** The step with different translation rules. */
function rules(
  step: Step<Wiring>,
  change: (right: Nat, experiment: Experiment<Wiring>) => Nat,
): Step<Wiring> {
  return changeAct(step, NAT, experiment =>
    translate(experiment, right =>
      addNat(experiment.ledger, experiment.scene.bridge, change(right, experiment)),
    ),
  )
}

/** The step with the text of the rules edited. */
function rewritten(
  step: Step<Wiring>,
  edit: Partial<Record<NatTool, (line: string) => string>>,
): Step<Wiring> {
  return changeAct(step, NAT, experiment =>
    translate(experiment, nat => {
      const right = addNat(experiment.ledger, experiment.scene.bridge, nat)
      const change = edit[right.tool]
      if (!change) return experiment.limit(`${right.tool} has no such rule`, 'sudo apt-get install nftables')
      const text = right.text.map(change)
      replace(right, experiment.scene.bridge, text)
      return { ...right, text }
    }),
  )
}

/** Removes rules, and gives the kernel others. */
function replace({ tool, text, list: [program = ''] }: NatRules, table: string, others: string[]): void {
  const run = (args: string[], input = '') => {
    const { ok, said } = runRuleTool([program, ...args], input)
    if (!ok) throw new MinilabError('machine', said, `see ${tool}(8)`)
  }
  if (tool === 'nft') return run(['-f', '-'], [`delete table ip ${table}`, ...others, ''].join('\n'))
  for (const rule of [...text.map(line => line.replace('-I', '-D')), ...others])
    run(['-w', '-t', 'nat', ...rule.split(' ')])
}

/** The step with containers in other modes. */
function modes(
  step: Step<Wiring>,
  change: (experiment: Experiment<Wiring>) => Partial<typeof MODES>,
): Step<Wiring> {
  return changeAct(step, 'Three modes', experiment =>
    eachMode(experiment, { ...MODES, ...change(experiment) }),
  )
}
