import type { ChalkInstance } from 'chalk'
import { drawRoot } from './draw-terminal-root.ts'
import { drawNetwork } from './draw-terminal-network.ts'
import { isReadable } from './readable.ts'
import { processRows } from './rows.ts'
import type { Process, Snapshot } from './snapshot-shape.ts'
import { bar, beside, card, inner } from './terminal-card.ts'
import { clean, columns, cut, cutPath, pad, paragraph } from './terminal-text.ts'
import { gauges, type Note, type Tone } from './gauges.ts'
import { capabilityWords, frozenWords, idWords, othersWords, ownWords, plural, uidWords } from './phrases.ts'

const TWO_COLUMNS = 110 // from this width on, cards stand side by side
const WIDEST = 160
const MOST_PROCESSES = 14
const LEAST_COMMAND = 12 // columns: if less is left, the state is left out instead

/** Draws a container in lines of at most `width` columns (at least 60): cards, side by side if there is room. */
export function drawTerminal(snapshot: Snapshot, width: number, ink: ChalkInstance): string[] {
  const whole = Math.min(width, WIDEST)
  const half = Math.floor((whole - 1) / 2)
  const [left, right] = whole >= TWO_COLUMNS ? [whole - 1 - half, half] : [whole, whole]
  const put = (title: string, draw: Draw, room: number) =>
    card(title, draw(snapshot, inner(room), ink), room, ink)
  const pair = (a: [string, Draw], b: [string, Draw]) => {
    const cards = [put(...a, left), put(...b, right)] as const
    return left === whole ? cards.flat() : beside(level(...a, ...b))
  }
  /** two cards of the same height */
  const level = (titleA: string, drawA: Draw, titleB: string, drawB: Draw) => {
    const [a, b] = [drawA(snapshot, inner(left), ink), drawB(snapshot, inner(right), ink)]
    const height = Math.max(a.length, b.length)
    for (const lines of [a, b]) while (lines.length < height) lines.push('')
    return [card(titleA, a, left, ink), card(titleB, b, right, ink)]
  }
  return [
    ...head(snapshot, whole, ink),
    ...pair(['processes', drawProcesses], ['namespaces', drawNamespaces]),
    ...pair(['root file system', drawRoot], ['limits', drawLimits]),
    ...put('network', drawNetwork, whole),
    ...put('rights of the first process', drawSecurity, whole),
  ]
}

/** The lines of one card, of at most `room` columns. */
type Draw = (snapshot: Snapshot, room: number, ink: ChalkInstance) => string[]

/** The name, and the most important facts in one line. */
function head(
  { name, pid, processes, cgroup, taken }: Snapshot,
  width: number,
  ink: ChalkInstance,
): string[] {
  const first = processes.roots.find(process => process.pid === pid)
  const title = cut(` ${clean(name)} `, width - 4)
  const facts = [
    `pid ${pid}${first && first.inside !== pid ? `, inside ${first.inside}` : ''}`,
    plural(processes.count, 'process', 'processes'),
    ...(cgroup.frozen === true ? ['frozen'] : []),
    `at ${taken.slice(11, 19)} UTC`,
  ]
  const line = cut(facts.join(' · '), width - 1)
  return [
    ink.cyan('━━') + ink.bold(title) + ink.cyan('━'.repeat(Math.max(0, width - 2 - columns(title)))),
    ' ' + (cgroup.frozen === true ? line.replace('frozen', ink.cyan.bold('frozen')) : ink.dim(line)),
  ]
}

function drawProcesses({ processes }: Snapshot, room: number, ink: ChalkInstance): string[] {
  const { shown, left } = processRows(processes.roots, MOST_PROCESSES)
  const wide = (title: string, texts: string[]) => Math.max(title.length, ...texts.map(text => text.length))
  const host = wide(
    'pid',
    shown.map(({ node }) => String(node.pid)),
  )
  const inside = wide(
    'inside',
    shown.map(({ node }) => String(node.inside)),
  )
  const uidOf = (node: Process) => uidWords(node.uid, node.uidInside)
  const uid = wide(
    'uid',
    shown.map(({ node }) => uidOf(node)),
  )
  const lines = [
    ink.dim(`${'pid'.padStart(host)}  ${'inside'.padStart(inside)}  ${'uid'.padEnd(uid)}  command`),
  ]
  shown.forEach(({ branch, node }) => {
    const { pid, state, stateName, threads, command } = node
    const about = [threads > 1 ? `${threads} threads` : '', state === 'S' ? '' : stateName]
    const note = about.filter(Boolean).join(', ')
    const rest = room - host - inside - uid - 6
    const end = rest - note.length - 2 >= LEAST_COMMAND ? note : ''
    const space = rest - (end ? end.length + 2 : 0)
    const text = cut(branch + clean(command), space)
    const tree = text.startsWith(branch) ? ink.dim(branch) + text.slice(branch.length) : ink.dim(text)
    const colour = state === 'R' ? ink.green : state === 'Z' || state === 'T' ? ink.yellow : ink.dim
    lines.push(
      `${String(pid).padStart(host)}  ${ink.cyan.bold(String(node.inside).padStart(inside))}  ${uidOf(node).padEnd(uid)}  ` +
        (end ? `${pad(tree, space)}  ${colour(end)}` : tree),
    )
  })
  if (left) lines.push(ink.dim(`and ${plural(left, 'more process', 'more processes')}`))
  if (processes.why) lines.push(...paragraph(processes.why, room).map(line => ink.dim(line)))
  return lines
}

function drawNamespaces({ namespaces }: Snapshot, room: number, ink: ChalkInstance): string[] {
  const lines = namespaces.map(view => {
    const { kind, inode, host, own, others } = view
    const [mark, word] = ownWords(view)
    const colour = own === true ? ink.green : own === false ? ink.yellow : ink.dim
    const number = isReadable(inode) ? String(inode ?? '') : ''
    const with_ = others.length ? `also ${othersWords(others)}` : ''
    return (
      `${colour(mark)} ${ink.bold(kind.padEnd(6))}  ${colour(word.padEnd(12))}  ` +
      (with_
        ? `${number}  ${ink.yellow(cut(with_, room - 36))}`
        : ink.dim(own === true && isReadable(host) ? `${number}  host ${host}` : number))
    )
  })
  const hidden = namespaces.map(({ inode }) => inode).find(inode => !isReadable(inode))
  const reason = hidden && !isReadable(hidden) ? `not readable: ${hidden.notReadable}` : ''
  return [...lines, ...paragraph(reason, room).map(line => ink.yellow(line))]
}

function drawLimits({ cgroup }: Snapshot, room: number, ink: ChalkInstance): string[] {
  const length = Math.max(10, Math.min(48, room - 2))
  const lines = gauges(cgroup).flatMap(({ title, used, limit, fill, mark, tone, notes }) => {
    const colour = colourOf(tone === 'well' && (fill ?? 0) > 0.8 ? 'held' : tone, ink, ink.green)
    return [
      `${ink.bold(title.padEnd(8))}${ink.bold.cyan(used)}  ${limit}`,
      fill === null ? ink.dim('·'.repeat(length)) : colour(bar(fill, mark, length)),
      ...flow(notes, room, ink),
      '',
    ]
  })
  const { frozen, mode } = cgroup
  const state = frozenWords(cgroup)
  const where = cgroup.memory.path ?? cgroup.cpu.path ?? cgroup.folders[0]?.path
  return [
    ...lines,
    `${ink.bold('frozen'.padEnd(8))}${frozen === true ? ink.cyan.bold(state) : state}`,
    ink.dim(cutPath(`${mode}  ${clean(where ?? '')}`, room)),
  ]
}

const colourOf = (tone: Tone, { red, yellow }: ChalkInstance, well: ChalkInstance) =>
  tone === 'alarm' ? red : tone === 'held' ? yellow : well

/** Notes in as few lines as they fit in. */
function flow(notes: readonly Note[], room: number, ink: ChalkInstance): string[] {
  const lines: Note[][] = []
  for (const note of notes) {
    const line = lines.at(-1)
    const used = line?.reduce((sum, { text }) => sum + text.length + 3, 0) ?? Infinity
    if (line && used + note.text.length <= room) line.push(note)
    else lines.push([note])
  }
  const coloured = ({ tone }: Note, text: string) => colourOf(tone, ink, ink.dim)(text)
  return lines.flatMap(([first, ...more]) => {
    if (!first || more.length === 0)
      return first ? paragraph(first.text, room).map(text => coloured(first, text)) : []
    return [[first, ...more].map(note => coloured(note, note.text)).join(ink.dim(' · '))]
  })
}

function drawSecurity({ security }: Snapshot, room: number, ink: ChalkInstance): string[] {
  const names = capabilityWords(security)
  const row = (title: string, text: string) =>
    paragraph(text, room - 18).map((line, i) => `${ink.bold((i === 0 ? title : '').padEnd(18))}${line}`)
  const { seccomp, seccompFilters, noNewPrivileges, allCapabilities } = security
  return [
    ...row(
      'capabilities',
      allCapabilities ? `all ${names.length}` : names.length ? `${names.length}: ${names.join(' ')}` : 'none',
    ),
    ...row('no_new_privs', noNewPrivileges ? 'yes: setuid programs give no rights' : 'no'),
    ...row('seccomp', seccomp === 'filter' ? plural(seccompFilters, 'filter') : seccomp),
    ...row('user ids', idWords(security.uidMap).join('; ')),
  ]
}
