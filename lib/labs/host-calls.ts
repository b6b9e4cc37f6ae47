import { writeControl as write } from '../kernel/cgroup/control-file.ts'
import {
  openRtnetlink as open,
  openRtnetlinkIn as openIn,
  type Rtnetlink,
} from '../kernel/netlink/rtnetlink.ts'

/** What learners' code does on the host through our functions, in order, to compare with the reference. */
export const hostCalls: { call: string; args: string; container: number }[] = []

/** The addresses that were chosen for learners' code, with the names it has for them. They differ in each run. */
export const given = new Map<string, string>()

let container = 0
/** The following calls are for another container. */
export const nextContainer = () => void container++

/** Forgets the calls so far: they were for other containers, and the step's own is still to come. */
export function startOver(): void {
  hostCalls.length = 0
  given.clear()
  container = 0
}

/** As in control-file.ts, and recorded. */
export function writeControl(path: string, value: string): void {
  hostCalls.push({ call: 'write', args: `${JSON.stringify(path)}, ${JSON.stringify(value)}`, container })
  write(path, value)
}

/** Opens a connection to the kernel's network settings, in our network namespace. The caller must close it. */
export const openRtnetlink = (): Rtnetlink => noted(open())

const unopened = new Set<Promise<Rtnetlink>>()
/** The connections that are still being opened. */
export const stillOpening = (): readonly Promise<Rtnetlink>[] => [...unopened]

/** Opens such a connection in the network namespace of a process. */
export function openRtnetlinkIn(pid: number): Promise<Rtnetlink> {
  const opening = openIn(pid)
    .then(noted)
    .finally(() => unopened.delete(opening))
  unopened.add(opening)
  opening.catch(() => undefined) // a learner who forgets the await gets a message about that, not about an unhandled rejection
  return opening
}

/** Adds the connection's log to ours as it grows. */
function noted(rtnetlink: Rtnetlink): Rtnetlink {
  const { log } = rtnetlink
  const push = log.push.bind(log)
  log.push = (...entries) => {
    // each method asks for the index of a link that is given by name: that call is ours, not the learner's
    const theirs = entries.filter(({ call, args }) => call !== 'RTM_GETLINK' || !args.startsWith('dev '))
    hostCalls.push(...theirs.map(({ call, args }) => ({ call, args, container })))
    return push(...entries)
  }
  return rtnetlink
}
