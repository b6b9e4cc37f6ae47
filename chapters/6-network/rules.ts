import { execFileSync } from 'node:child_process'

/** One rule of the packet filter that rewrites addresses, as `nft list` or `iptables -S -v` shows it. */
export interface Rule {
  /** the hook at which its chain stands: `prerouting`, `postrouting`, `output` … */
  chain: string
  /** how many packets it was applied to */
  packets: number
  /** the destination port that it matches, and the address and port that it sends to instead */
  port: number | undefined
  to: string | undefined
  /** it changes addresses without remembering the connection */
  stateless: boolean
  masquerade: boolean
  /** the source addresses that it matches, and the interface that the packets leave through */
  from: string | undefined
  out: string | undefined
}

/** The rules that `kind` accepts and that mention one of these words; `list` is the command that shows them with their counters. */
export function rulesThat(
  [program, ...args]: string[],
  kind: (rule: Rule) => boolean,
  ...words: string[]
): Rule[] {
  if (program === undefined) return []
  let hook = ''
  return execFileSync(program, args, { encoding: 'utf8' })
    .split('\n')
    .flatMap(line => {
      hook = / hook (\w+) /.exec(line)?.[1] ?? hook
      if (!words.some(word => line.includes(word))) return []
      const rule = read(line, hook)
      return kind(rule) ? [rule] : []
    })
}

/** nft: `counter packets 1 bytes 60 dnat to …`; iptables: `-A PREROUTING … -c 1 60 -j DNAT --to-destination …` */
function read(line: string, hook: string): Rule {
  const find = (...patterns: RegExp[]) => patterns.map(pattern => pattern.exec(line)?.[1]).find(Boolean)
  const [, address, port] = /ip daddr set (\S+) tcp dport set (\d+)/.exec(line) ?? []
  return {
    chain: find(/^-A (\S+)/)?.toLowerCase() ?? hook,
    packets: Number(find(/counter packets (\d+)/, /-c (\d+) /) ?? NaN),
    port: Number(find(/tcp dport (\d+)/, /--dport (\d+)/) ?? NaN),
    to: find(/dnat to (\S+)/, /--to-destination (\S+)/) ?? (address && `${address}:${port}`),
    stateless: line.includes('notrack'),
    masquerade: /masquerade/i.test(line),
    from: find(/ip saddr (\S+)/, /-s (\S+)/),
    out: find(/oifname "(\S+)"/, /-o (\S+)/),
  }
}
