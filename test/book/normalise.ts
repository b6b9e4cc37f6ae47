/** Something in an output that differs from run to run, and what stands in its place. */
interface Varying {
  name: string
  /** the value, and nothing around it */
  pattern: RegExp
  /** only on lines that have this in them, or in the line after them, where a long source stands */
  near?: RegExp
  /** every value by the same name: there is nothing to compare */
  plain?: boolean
}

/** In this order: what an earlier row has replaced, a later one does not see. See machine.sh for what is fixed beforehand. */
const VARYING: Varying[] = [
  { name: 'digest', pattern: /\b[0-9a-f]{64}\b/g },
  { name: 'digest', pattern: /\b[0-9a-f]{6}(?=…)/g },
  { name: 'id', pattern: /\b[0-9a-f]{16}(?=\.\.\.)/g }, // cut by strace
  { name: 'mac', pattern: /\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g },
  { name: 'address', pattern: /\bfe80::[0-9a-f:]+/g },
  { name: 'date', pattern: /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?/g, plain: true },
  // the kernel's ephemeral ports: net.ipv4.ip_local_port_range
  { name: 'port', pattern: /(?<=\d\.\d+:)(?:3[2-9]|[45]\d|60)\d{3}\b/g },
  { name: 'ns', pattern: /\b402653\d{4}\b/g },
  { name: 'id', pattern: /\b[0-9a-f]{12}\b/g },
  {
    name: 'id',
    pattern: /(?<=(?:containers\/|minilab\/|sandbox-|doctor-|mlb?-|step7-)(?:sandbox-)?)[0-9a-f]{6,12}\b/g,
  },
  // the tag and the key of step 2 are made of a pid: in base 36 those of machine.sh begin with g
  { name: 'tag', pattern: /(?<=renamed-)\w+|(?<=(?:minilab|in)-)g[0-9a-z]{2}\b/g },
  { name: 'key', pattern: /\b0x6d00[0-9a-f]{4}\b|(?<=\(key )\d+/g },
  { name: 'inode', pattern: /\b\d{1,6}:\d+\b/g, near: /device:inode|newfstatat\("\/"\)/ },
  { name: 'inode', pattern: /\b\d{5,}\b/g, near: /\binode of / },
  { name: 'device', pattern: /(?<![\d.:])0:[1-9]\d*\b/g },
  { name: 'pid', pattern: /(?<![\d.-])21\d{3}(?!\d|\.\d| bytes\b)/g }, // but not CVE-2024-21626, seconds of uptime, a size
  // in the sandbox, which has a pid namespace of its own, they are small
  {
    name: 'pid',
    pattern:
      /(?<=\/proc\/|not-here-|cgroup\.procs", "|netns |SIGCHLD\}\) = |^ +│ |RTM_\w+ in |\bkill\(|PTRACE_SEIZE, |of process )\d+(?=["/), ]|$)/g,
  },
  { name: 'line', pattern: /(?<=\.ts:)\d+\b/g, plain: true },
  {
    name: 'count',
    pattern: /(?<=host )\d+(?= (?:mounts|processes|open|variables|entries|bytes)\b)/g,
    near: /\bhost \d+ (?:mounts|processes|open|variables)|\d+ entries container null|\bcontainer empty\b/,
    plain: true,
  },
  { name: 'time', pattern: /\d+ of \d+ ms = [\d.]+ %/g, plain: true },
  { name: 'time', pattern: /\d+ → \d+ → \d+ µs/g, plain: true },
  {
    name: 'time',
    pattern: /(?<!of (?:every )?)\b\d+(?:\.\d+)? (?:ns|µs|ms|s)\b(?! of every| =)/g,
    plain: true,
  },
]

/** Gives values that differ from run to run names that do not. The same value gets the same name, as long as it lives. */
export class Normaliser {
  readonly #names = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  lines(lines: readonly string[]): string[] {
    return lines.map((line, i) => this.#line(line, lines[i + 1] ?? ''))
  }

  #line(line: string, next: string): string {
    let text = line
    for (const { name, pattern, near, plain } of VARYING)
      if (!near || near.test(line) || near.test(next))
        text = text.replace(pattern, value => `⟨${plain ? name : this.#nameOf(name, value)}⟩`)
    return text === line ? line : align(line, text)
  }

  #nameOf(name: string, value: string): string {
    const known = this.#names.get(`${name} ${value}`)
    if (known) return known
    const count = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, count)
    this.#names.set(`${name} ${value}`, `${name} ${count}`)
    return `${name} ${count}`
  }
}

/** A text with values in place of the names again, for facts: each is a number of six digits, or a time. */
export function withValues(text: string): string {
  return text
    .replaceAll('⟨time⟩', '1 ms')
    .replace(/⟨\w+(?: (\d+))?⟩/g, (_, count = '') => count.padStart(6, '0'))
}

/** A call on the tape, and a line of evidence that ends at the right margin: see lib/guide/present.ts. */
const RIGHT_ALIGNED = /^ +│ .* = (?:-1 \w+|\S+) +[\d.]+ (?:µs|ms)$|^ {6}.{80}$/u

/**
 * The columns of a line in which values have given way to names. They must not show how long the values were. Where the
 * columns stand in fixed places they do so again; else there are two blanks between them.
 */
function align(before: string, after: string): string {
  const columns = after.split(/(?<=[^\s│]) {2,}/)
  if (!RIGHT_ALIGNED.test(before) || columns.length === 1) return columns.join('  ').trimEnd()
  const gaps = [...before.matchAll(/(?<=[^\s│]) {2,}/g)]
  let line = ''
  for (const [i, column] of columns.entries()) {
    const gap = gaps[i - 1]
    // three blanks stand between the host's value and the container's, wherever they are
    const start = !gap ? 0 : gap[0].length === 3 ? line.length + 3 : gap.index + gap[0].length
    const place = i === columns.length - 1 ? before.length - column.length : start
    line = gap ? line.padEnd(Math.max(place, line.length + 2)) + column : column
  }
  return line
}
