import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Measured } from './measure.ts'

const PAGE = join(import.meta.dirname, '../../book/appendix.md')
const TITLE = '## How fast it is'

/** Where it was measured, and when. */
export interface Machine {
  date: string
  cpu: string
  kernel: string
  /** `dockerd 20.10.24`, of those that are here */
  peers: string[]
}

const VERSIONS: Record<string, string[]> = {
  dockerd: ['--version'],
  podman: ['--version'],
  runc: ['--version'],
  crun: ['--version'],
}

function thisMachine(): Machine {
  const all = cpus()
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: `${all.length} × ${all[0]?.model ?? 'a CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
    peers: Object.entries(VERSIONS).flatMap(([name, args]) => {
      try {
        const said = execFileSync(name, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
        return `${name} ${/\d+\.\d+(\.\d+)?/.exec(said)?.[0] ?? ''}`
      } catch {
        return [] // it is not here
      }
    }),
  }
}

/** The section of the book: how it was measured, and a row for each figure and peer. */
export function section(all: readonly Measured[], { date, cpu, kernel, peers }: Machine): string {
  const number = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(0))
  const rows = all.flatMap(({ figure, unit, ours, peers }) =>
    peers.map(({ name, median, ratio, reach }) => [
      figure,
      `${number(ours)} ${unit}`,
      name,
      `${number(median)} ${unit}`,
      `${ratio < 0.1 ? ratio.toFixed(4) : ratio.toFixed(2)} ×`,
      reach === undefined ? '–' : `≤ ${reach} ×${ratio <= reach ? '' : ', not reached'}`,
    ]),
  )
  const unreached = all.filter(
    ({ parts, peers }) => parts && peers.some(({ ratio, reach = Infinity }) => ratio > reach),
  )
  const head = ['what', 'minilab', 'beside', 'takes', 'ratio', 'aim']
  const table = [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`)
  return [
    TITLE,
    '',
    `Measured on ${date} by \`npm run bench -- --page\`, which wrote this section, on ${cpu}, Linux ${kernel}, beside ${peers.join(', ')}.`,
    'Each number is a median. minilab and the others take turns, round after round, so what else the machine does then slows all of',
    'them; only the ratio means anything on another machine.',
    '',
    ...table,
    '',
    ...unreached.flatMap(({ figure, parts }) => [`**${figure}.** ${parts}`, '']),
  ].join('\n')
}

/** A page with this section in the place of an earlier one, or at the end. */
export function withSection(page: string, text: string): string {
  const at = page.indexOf(`${TITLE}\n`)
  if (at === -1) return `${page.trimEnd()}\n\n${text}`
  const next = page.indexOf('\n## ', at)
  return page.slice(0, at) + text + (next === -1 ? '' : page.slice(next))
}

/** Writes the section into the book, as oxfmt has it. */
export function writePage(all: readonly Measured[]): void {
  writeFileSync(PAGE, withSection(readFileSync(PAGE, 'utf8'), section(all, thisMachine())))
  const oxfmt = join(import.meta.dirname, '../../node_modules/oxfmt/bin/oxfmt')
  execFileSync(process.execPath, [oxfmt, PAGE])
}
