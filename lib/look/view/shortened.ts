import type { FeedCall, FeedEvent } from '../../guide/feed-event.ts'

/** In columns: the room in a line of the tape for arguments beside their result, and for a source. */
const ROOM = { args: 44, source: 28 }

/** Files that exist only on the host, or that we read there: the directories of cgroups, and processes by their pid on the host. */
const ON_HOST = /^\/(sys\/fs\/cgroup|proc\/\d+)\//

type Told<K> = Extract<FeedEvent, { kind: K }>

/** An event with shortened paths: they lose their first directories, as in the terminal; the complete text is in `full`. */
export function shortened(event: FeedEvent) {
  if (event.kind === 'launch') return { ...event, calls: event.calls.map(shortCall) }
  if (event.kind === 'check') return { ...event, evidence: event.evidence.map(shortEvidence) }
  return event
}

function shortCall(call: FeedCall) {
  if ('summary' in call) return call
  const args = shortPath(call.args, ROOM.args)
  return args === call.args ? call : { ...call, args, full: call.args }
}

function shortEvidence(row: Told<'check'>['evidence'][number]) {
  const source = shortPath(row.source, ROOM.source)
  return {
    ...row,
    source,
    ...(source !== row.source && { full: row.source }),
    // a value of the container that was read from outside
    onHost: row.container !== null && ON_HOST.test(row.source),
  }
}

/** A path without its first directories, because paths differ at the end: `…/6f22b3-0/pids.max`. */
function shortPath(whole: string, room: number): string {
  let text = whole
  for (let shorter = ''; text.length > room; text = shorter) {
    shorter = text.replace(/^("?)…?\/[^/" ]+(?=\/)/, '$1…')
    if (shorter === text) break
  }
  return text
}
