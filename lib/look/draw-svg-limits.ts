import type { Html } from '../book/html.ts'
import { wrap } from '../guide/text.ts'
import type { Snapshot } from './snapshot-shape.ts'
import { box, type Piece, stacked, text, widthOf } from './svg.ts'
import { type Gauge, gauges } from './gauges.ts'
import { capabilityWords, frozenWords, idWords, plural } from './phrases.ts'

/** Draws memory, CPU and processes as gauges: how much is used of what is allowed. */
export function drawLimits({ cgroup }: Snapshot, width: number): Piece {
  const frozen: Piece = {
    height: 74,
    body: [
      text(0, 26, 'frozen', 'name', { look: 'bold' }),
      text(130, 26, frozenWords(cgroup), 'mono', {
        look: cgroup.frozen === true ? 'bold accent' : '',
        key: 'cgroup.frozen',
      }),
      text(0, 64, 'read on the host:', 'small', { look: 'dim' }),
      text(198, 64, cgroup.memory.path ?? cgroup.folders[0]?.path ?? 'no cgroup', 'small', {
        look: 'dim',
        room: width - 198,
        path: true,
      }),
    ],
  }
  return stacked([...gauges(cgroup).map(gauge => drawGauge(gauge, width)), frozen], 26)
}

const LOOKS = { well: 'accent', held: 'shared', alarm: 'alarm' } as const

/** Draws a gauge: what is used on the left, the limit at the right end of the bar, where it is reached. */
function drawGauge(gauge: Gauge, width: number): Piece {
  const { key, title, used, limit, fill, mark, tone, notes, names } = gauge
  const [top, height] = [58, 26]
  const left = 130 + widthOf(used, 'large') + 16
  const body: Html[] = [
    text(0, 40, title, 'name', { look: 'bold' }),
    text(130, 40, used, 'large', {
      look: `bold ${LOOKS[tone]}`,
      key: `${key}.${names.used}`,
    }),
    text(width, 40, limit, 'name', {
      look: 'bold',
      anchor: 'end',
      key: `${key}.${names.limit}`,
      room: width - left,
    }),
    box({ x: 0, y: top, width, height, look: fill === null ? 'track none' : 'track', round: 6 }),
  ]
  if (fill !== null) {
    const look = `fill ${fill > 0.8 && tone === 'well' ? 'held' : tone}`
    // a small value must still be visible
    const filled = fill === 0 ? 0 : Math.max(6, Math.round(fill * width))
    body.push(box({ x: 0, y: top, width: filled, height, look, key: `${key}.bar`, round: 6 }))
  }
  const peak = mark !== null && fill !== null ? notes.find(note => note.key === 'peak') : undefined
  if (peak && mark !== null) body.push(...drawPeak(peak.text, key, mark, top, height, width))
  let [x, y] = [0, top + height + (peak ? 62 : 30)]
  for (const note of notes) {
    if (note === peak) continue
    const room = widthOf(note.text, 'note')
    if (x > 0 && x + room > width) [x, y] = [0, y + 30]
    const look = note.tone === 'well' ? 'dim' : LOOKS[note.tone]
    body.push(text(x, y, note.text, 'note', { look, key: `${key}.${note.key}`, room: width - x }))
    x += room + 28
  }
  return { height: notes.length ? y + 6 : top + height + 6, body }
}

/** A line across the bar at the highest value, with that value below it. */
function drawPeak(words: string, key: string, mark: number, top: number, height: number, width: number) {
  const x = Math.min(width - 4, Math.round(mark * width))
  const half = widthOf(words, 'note') / 2
  const [at, anchor] =
    x < half ? ([0] as const) : x + half > width ? ([width, 'end'] as const) : ([x + 2, 'middle'] as const)
  return [
    box({ x, y: top - 6, width: 4, height: height + 14, look: 'mark', round: 2 }),
    text(at, top + height + 30, words, 'note', {
      look: 'bold',
      key: `${key}.peak`,
      ...(anchor && { anchor }),
    }),
  ]
}

/** Lists capabilities, seccomp, no_new_privs and the mapping of its users. */
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
