import { readlinkSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { closing, openFile } from '../../common/descriptor.ts'
import { ourselves } from '../../common/ourselves.ts'
import { dataFolder, followDataFolder, makeDir } from '../../image/data-folder.ts'
import { findImage } from '../../image/store.ts'
import { shellStatus } from '../../kernel/process/child.ts'
import { Handover, type Told } from '../../kernel/process/handed.ts'
import { needTasks, OURSELVES } from '../../kernel/process/need-tasks.ts'
import { randomHex } from '../../kernel/process/random.ts'
import { ended, findProcess } from '../../kernel/process/signal.ts'
import { Ledger, recover } from '../ledger/ledger.ts'
import { Monitor, MONITOR_FD } from '../monitor.ts'
import { EXIT_SIZE, readExit } from '../state/exit-record.ts'
import { containerFolder, exitFile, states } from '../state/state.ts'
import { Streams } from '../streams/streams.ts'
import { planRun, type RunRequest } from './plan.ts'
import { noteFiles, PARTS, recordExit, start } from './run.ts'

/** What the monitor's last program has to know. */
export interface Ended {
  id: string
}

/**
 * Starts a container that runs in the background; resolves to its id. From then on no process of Node is needed: a monitor is its
 * parent, and a pump for each stream writes its log. `tell`: what minilab is told when the monitor becomes it. `home`: the mount
 * namespace in which it does, if our own may have mistaken mounts.
 */
export async function startDetached(
  request: RunRequest,
  tell: (ended: Ended) => Told,
  all = PARTS,
  home?: number,
): Promise<string> {
  needTasks(OURSELVES) // in the end the monitor becomes minilab
  if (!request.keeper) await recover(dataFolder(), [], request.notTakenBack)
  const source = await findImage(request.image)
  const id = randomHex(6)
  const log = join(dataFolder(), 'logs', `${id}.log`)
  const streams = new Streams({ interactive: request.interactive, log })
  const plan = planRun(request, source, id, streams.stdio)
  try {
    noteFiles({ ...request, log }, source, plan)
    makeDir(dirname(log), 0o700)
    using messages = openFile(log, 'a', 0o600)
    using nothing = openFile('/dev/null', 'r')
    makeDir(containerFolder(id))
    using exit = openFile(exitFile(id), 'w+', 0o600)
    writeSync(exit.fd, Buffer.alloc(EXIT_SIZE), 0, EXIT_SIZE, 0) // the disk may be full when it ends
    const pumps = await streams.startPumps(log)
    using handed = new Handover(tell({ id }))
    const env = { ...process.env, MINILAB_DATA: dataFolder(), ...handed.env(MONITOR_FD.handed) }
    using monitor = new Monitor({
      stdio: [nothing.fd, messages.fd, messages.fd],
      exit: exit.fd,
      ledger: plan.ledger.fd,
      handed: handed.fd,
      held: streams.held,
      home,
      program: {
        args: ourselves(),
        env: Object.entries(env).map(([name, value]) => `${name}=${value ?? ''}`),
      },
    })
    await start({ ...request, log, pumps }, source, { ...plan, monitor }, all)
    plan.ledger.handOver(monitor.pid)
    monitor.go()
    plan.ledger.leave()
    return id
  } finally {
    streams.close()
    if (!request.keeper) await plan.ledger.settle().catch(request.notTakenBack)
  }
}

/** How long a pump may take to its end once the container has ended: another process may have a copy of the program's end. */
const PUMP_TIMEOUT = 10_000 // ms

/** What remains to be done after the end of such a container, in the process that was its monitor. */
export async function afterDetached({ id }: Ended, notTakenBack: RunRequest['notTakenBack']): Promise<void> {
  const ledger = Ledger.inherited(readlinkSync(`/proc/self/fd/${MONITOR_FD.ledger}`), MONITOR_FD.ledger)
  try {
    followDataFolder(() => ledger.place)
    const record = readExit(`/proc/self/fd/${MONITOR_FD.exit}`)
    if (record) recordExit(id, shellStatus(record.exit), record.at)
    const { pumps } = states().find(state => state.id === id) ?? {}
    for (const pump of [pumps?.stdout, pumps?.stderr]) {
      const pidfd = pump && findProcess(pump.pid, pump.started)
      if (pidfd === undefined) continue
      using _ = closing(pidfd)
      await ended(pidfd, PUMP_TIMEOUT)
    }
  } finally {
    await ledger.settle().catch(notTakenBack)
  }
}
