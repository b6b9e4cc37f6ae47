import type { Html } from '../book/html.ts'
import { wrap } from '../guide/text.ts'
import type { Snapshot } from './snapshot-shape.ts'
import { box, type Piece, stacked, text, widthOf } from './svg.ts'
import { type Gauge, gauges } from './gauges.ts'
import { capabilityWords, frozenWords, idWords, plural } from './words.ts'

/** Memory, processor and processes as gauges: what is used of what is allowed. */
export function drawLimits({ cgroup }: Snapshot, width: number): Piece {
  const frozen: Piece = {
    height: 74,
    body: [
      text(0, 26, 'frozen', 'name', { look: 'bold' }),
      text(130, 26, frozenWords(cgroup), 'mono', {
        look: cgroup.frozen === true ? 'bold accent' : '',
        key: 'cgroup.frozen',
      }),
      text(0, 64, `${cgroup.mode}  ${cgroup.memory.path ?? cgroup.folders[0]?.path ?? ''}`, 'small', {
        look: 'dim',
        room: width,
        path: true,
      }),
    ],
  }
  return stacked([...gauges(cgroup).map(gauge => drawGauge(gauge, width)), frozen], 26)
}

const LOOKS = { well: 'accent', held: 'shared', alarm: 'alarm' } as const

function drawGauge({ key, title, value, of, fill, mark, tone, notes, names }: Gauge, width: number): Piece {
  const [top, height] = [58, 26]
  const used = 130 + widthOf(value, 'large') + 16
  const body: Html[] = [
    text(0, 40, title, 'name', { look: 'bold' }),
    text(130, 40, value, 'large', {
      look: `bold ${LOOKS[tone]}`,
      key: `${key}.${names.value}`,
    }),
    text(used, 40, of, 'mono', { look: 'dim', key: `${key}.${names.of}`, room: width - used }),
    box({ x: 0, y: top, width, height, look: fill === null ? 'track none' : 'track', round: 6 }),
  ]
  if (fill !== null) {
    const look = `fill ${fill > 0.8 && tone === 'well' ? 'held' : tone}`
    // a little is not nothing
    const filled = fill === 0 ? 0 : Math.max(6, Math.round(fill * width))
    body.push(box({ x: 0, y: top, width: filled, height, look, key: `${key}.bar`, round: 6 }))
  }
  if (mark !== null && fill !== null)
    body.push(
      box({
        x: Math.min(width - 4, Math.round(mark * width)),
        y: top - 5,
        width: 4,
        height: height + 10,
        look: 'mark',
        round: 2,
      }),
    )
  let [x, y] = [0, top + height + 30]
  for (const note of notes) {
    const room = widthOf(note.text, 'note')
    if (x > 0 && x + room > width) [x, y] = [0, y + 30]
    const look = note.tone === 'well' ? 'dim' : LOOKS[note.tone]
    body.push(text(x, y, note.text, 'note', { look, key: `${key}.${note.key}`, room: width - x }))
    x += room + 28
  }
  return { height: y + 6, body }
}

/** Capabilities, seccomp, no_new_privs and who its users are: in lines. */
export function drawSecurity({ security }: Snapshot, width: number): Piece {
  const { seccomp, seccompFilters, noNewPrivileges, allCapabilities } = security
  const names = capabilityWords(security)
  const held = allCapabilities
    ? `all ${names.length}`
    : names.length
      ? `${names.length}: ${names.join(' ')}`
      : 'none'
  const rows: [title: string, words: string, key: string][] = [
    ['capabilities', held, 'capabilities'],
    ['no_new_privs', noNewPrivileges ? 'yes' : 'no', 'noNewPrivileges'],
    ['seccomp', seccomp === 'filter' ? plural(seccompFilters, 'filter') : seccomp, 'seccomp'],
    ['user ids', idWords(security.uidMap).join('; '), 'uidMap'],
  ]
  const body: Html[] = []
  let y = 0
  for (const [title, words, key] of rows) {
    body.push(text(0, y + 24, title, 'mono', { look: 'bold' }))
    for (const [n, line] of wrap(words, Math.floor((width - 220) / 13.5)).entries()) {
      body.push(text(220, y + 24, line, 'mono', { key: `security.${key}${n ? `.${n}` : ''}` }))
      y += 36
    }
  }
  return { height: y - 8, body }
}
