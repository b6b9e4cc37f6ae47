import type { FeedCall, FeedEvent } from '../../guide/feed-event.ts'

/** Columns: what the tape has room for in a line, of a call beside its result. */
const ROOM = { args: 44, source: 28 }

/** Files that are only on the host, or that we read there: the directories of cgroups, and a process by its pid there. */
const ON_HOST = /^\/(sys\/fs\/cgroup|proc\/\d+)\//

type Told<K> = Extract<FeedEvent, { kind: K }>

/** An event as the page needs it: paths lose their first directories, as the terminal prints them; what was cut is in `full`. */
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
    // a value of the container's that we did not ask the container for
    onHost: row.container !== null && ON_HOST.test(row.source),
  }
}

/** `…/6f22b3-0/pids.max`: a path at the begin loses its first directories, since what tells two apart is at the end. */
function shortPath(words: string, room: number): string {
  let text = words
  for (let shorter = ''; text.length > room; text = shorter) {
    shorter = text.replace(/^("?)…?\/[^/" ]+(?=\/)/, '$1…')
    if (shorter === text) break
  }
  return text
}
