import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'
import { now } from '../kernel/syscalls/now.ts'
import { ENDLESS, type Stuck } from './trial-files.ts'

/** How long code may run without letting anything else run, in milliseconds; and how much of that time it must have used a CPU. */
const BEAT_TIMEOUT = Number(process.env.MINILAB_PATIENCE ?? 5000)
const BUSY = 0.8

interface Watch {
  beat: Int32Array
  file: string
}

/**
 * Watches this thread. If it runs for too long without a pause, writes its call stack to a file as JSON (Stuck) and ends the
 * process with status ENDLESS. Another thread must do that, by the inspector's protocol.
 */
export function watch(file: string): void {
  const beat = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(import.meta.filename, { workerData: { beat, file } satisfies Watch })
  worker.unref()
  setInterval(() => {
    Atomics.add(beat, 0, 1)
    Atomics.notify(beat, 0)
  }, BEAT_TIMEOUT / 10).unref()
}

function guard({ beat, file }: Watch): void {
  // on a busy machine, a thread that waits for a CPU is in no endless loop
  for (let begun = cpuTime(); ;) {
    if (Atomics.wait(beat, 0, Atomics.load(beat, 0), BEAT_TIMEOUT) !== 'timed-out') begun = cpuTime()
    else if (cpuTime() - begun > BEAT_TIMEOUT * BUSY) break
  }
  const scripts = new Map<string, string>()
  const session = new Session()
  session.connectToMainThread()
  session.on('Debugger.scriptParsed', ({ params }) => scripts.set(params.scriptId, params.url))
  session.on('Debugger.paused', ({ params }) => {
    const stuck: Stuck = params.callFrames.map(({ location, url }) => ({
      file: toPath(url || (scripts.get(location.scriptId) ?? '')),
      line: location.lineNumber + 1,
    }))
    writeFileSync(file, JSON.stringify(stuck))
    now.exit_group(ENDLESS) // process 1 cannot kill itself: pid_namespaces(7)
  })
  setInterval(() => {}, BEAT_TIMEOUT) // keeps this thread from ending before the answer arrives
  session.post('Debugger.enable')
  session.post('Debugger.pause')
}

/** The CPU time that our process has used, in milliseconds. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const toPath = (url: string) => (url.startsWith('file:') ? fileURLToPath(url) : url)

if (!isMainThread && parentPort) guard(workerData as Watch)
