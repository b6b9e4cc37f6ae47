import { certain } from '../../common/certain.ts'
import { asTyped } from '../../guide/as-typed.ts'
import { lstatSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { inkFor, widthFor } from '../../guide/printer.ts'
import { MinilabError } from '../../common/errors.ts'
import { writeWhole } from '../../labs/whole-file.ts'
import { drawSvg } from '../../look/draw-svg.ts'
import { drawTerminal } from '../../look/draw-terminal.ts'
import { findTarget, type Target, targets } from '../../look/find.ts'
import { snapshot } from '../../look/snapshot.ts'
import type { Snapshot } from '../../look/snapshot-shape.ts'
import { bytes, plural, shown } from '../../look/phrases.ts'
import { printable } from '../../common/printable.ts'
import type { LookFlags } from './look.ts'

const NARROWEST = 60 // columns: in a narrower window the drawing is cut off

/** `minilab look`: draws one container; if several run and none is named, prints a line about each. */
export async function look(word: string | undefined, flags: LookFlags): Promise<void> {
  const target = word === undefined ? await onlyOne(flags) : findTarget(word)
  if (!target) return
  const seen = await snapshot(target.pid, target.name)
  if (!seen) throw new MinilabError('usage', `${target.name} has ended`, 'minilab ps -a shows how it ended')
  if (flags.json) process.stdout.write(JSON.stringify(seen) + '\n')
  else if (flags.svg !== undefined) await writeSvg(flags.svg, drawSvg(seen))
  else show(seen, target.word, flags.plain ?? false)
}

/** The running container, if there is exactly one; otherwise says what runs, and how to choose. */
async function onlyOne({ json, svg }: LookFlags): Promise<Target | undefined> {
  const running = targets()
  const [target, ...more] = running
  if (!target)
    throw new MinilabError(
      'usage',
      'no container is running',
      'start one with minilab run -d default sleep 1000, or minilab step 3 --keep in another terminal',
    )
  if (more.length === 0) return target
  if (json || svg !== undefined)
    throw new MinilabError(
      'usage',
      `${running.length} containers are running`,
      `say which: ${running.map(({ word }) => `minilab look ${word}`).join(', or ')}`,
    )
  const rows = (
    await Promise.all(running.map(async each => ({ ...each, seen: await snapshot(each.pid, each.name) })))
  ).flatMap(({ word, name, pid, seen }) => (seen ? [[word, name, String(pid), ...facts(seen)]] : []))
  console.log(
    `${plural(rows.length, 'container is running', 'containers are running')}; look at one of them:`,
  )
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map(row => printable(certain(row[column])).length)),
  )
  for (const row of rows) {
    const [word = '', ...rest] = row.map((cell, column) => printable(cell).padEnd(certain(widths[column])))
    console.log(asTyped(`  minilab look ${word}   ${rest.join('  ')}`.trimEnd()))
  }
  return undefined
}

function facts({ processes, cgroup, network }: Snapshot): string[] {
  const addresses = network.links
    .flatMap(link => link.addresses)
    .filter(a => !a.includes(':') && !a.startsWith('127.'))
  return [
    plural(processes.count, 'process', 'processes'),
    cgroup.memory.others === 0 ? shown(cgroup.memory.current, bytes) : '',
    addresses[0] ?? '',
    cgroup.frozen === true ? 'frozen' : '',
  ]
}

function show(seen: Snapshot, word: string, plain: boolean): void {
  const ink = inkFor(plain)
  const width = plain ? widthFor(true) : Math.max(NARROWEST, process.stdout.columns ?? widthFor(false))
  console.log(drawTerminal(seen, width, ink).join('\n'))
  console.log(ink.dim(asTyped(` as a picture       minilab look ${printable(word)} --svg look.svg`)))
  console.log(ink.dim(asTyped(' live in a browser  minilab view')))
}

/** Writes the whole file or nothing. */
async function writeSvg(path: string, drawing: string): Promise<void> {
  if (path === '-') return void process.stdout.write(drawing)
  // a rename must not replace a device
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there && !there.isFile())
    throw new MinilabError('usage', `"${path}" is not a regular file`, 'choose another file for --svg')
  await writeWhole(path, async (out: Writable) => {
    out.end(drawing)
    await finished(out)
  })
}
