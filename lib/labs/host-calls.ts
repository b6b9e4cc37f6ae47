import { writeControl as write } from '../kernel/cgroup/control-file.ts'
import {
  openRtnetlink as open,
  openRtnetlinkIn as openIn,
  type Rtnetlink,
} from '../kernel/netlink/rtnetlink.ts'

/** What learners' code does on the host through us, in order: it is shown beside what the reference does. */
export const hostCalls: { call: string; args: string; container: number }[] = []

/** The addresses that were chosen for learners' code, by which names it has them: they are others in each run. */
export const given = new Map<string, string>()

let container = 0
/** What comes now is done for another container. */
export const nextContainer = () => void container++

/** What came so far was for containers besides: the step's own is still to come. */
export function startOver(): void {
  hostCalls.length = 0
  given.clear()
  container = 0
}

/** As in control-file.ts. */
export function writeControl(path: string, value: string): void {
  hostCalls.push({ call: 'write', args: `${JSON.stringify(path)}, ${JSON.stringify(value)}`, container })
  write(path, value)
}

/** A connection to the kernel's network settings, in the namespace that we are in; to be closed. */
export const openRtnetlink = (): Rtnetlink => noted(open())

const unopened = new Set<Promise<Rtnetlink>>()
/** The connections that are still being opened. */
export const stillOpening = (): readonly Promise<Rtnetlink>[] => [...unopened]

/** The same in the network namespace of a process. */
export function openRtnetlinkIn(pid: number): Promise<Rtnetlink> {
  const opening = openIn(pid)
    .then(noted)
    .finally(() => unopened.delete(opening))
  unopened.add(opening)
  opening.catch(() => undefined) // a learner who forgets to await it is told that, and not of an unhandled rejection
  return opening
}

/** Its log becomes part of ours, as it grows. */
function noted(rtnetlink: Rtnetlink): Rtnetlink {
  const { log } = rtnetlink
  const push = log.push.bind(log)
  log.push = (...entries) => {
    // each of its methods asks for the index of a link that is given by name: that is ours, and not theirs
    const theirs = entries.filter(({ call, args }) => call !== 'RTM_GETLINK' || !args.startsWith('dev '))
    hostCalls.push(...theirs.map(({ call, args }) => ({ call, args, container })))
    return push(...entries)
  }
  return rtnetlink
}
