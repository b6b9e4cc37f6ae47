import { MinilabError } from '../../common/errors.ts'
import { ourselves } from '../../common/ourselves.ts'
import { initTape } from '../../container/init.ts'
import { MONITOR_FD, monitorTape } from '../../container/monitor.ts'
import { forwarderTape } from '../../container/net/forwarder.ts'
import { port } from '../../container/run/options.ts'
import { logPump } from '../../container/streams/log-pump.ts'
import type { Tape } from '../../kernel/tape/tape.ts'
import { fold } from '../../guide/text.ts'
import { EXIT } from '../exit.ts'
import type { RunFlags } from './run.ts'

/** A line of a tape, folded: a label at the left, and each line of a note begins with #. */
function lines(line: string, width: number): string[] {
  const [, note] = /^# (.*)$/.exec(line) ?? []
  if (note !== undefined) return fold(note, width - 4).map(part => `  # ${part.trim()}`)
  return fold(/^\w+:$/.test(line) ? line : `  ${line}`, width)
}

/** A container has no address yet, as nothing is started. */
const EXAMPLE = '10.44.0.2'

/** `run --show-monitor`: prints the tapes of the processes that stay with a container: beside it, or as its process 1. Starts nothing. Resolves to the exit status. */
export function showMonitor({ detach, init, mine, publish = [] }: RunFlags): number {
  if (!detach && !init && publish.length === 0)
    throw new MinilabError(
      'usage',
      '--show-monitor needs -d: only then a monitor stays',
      'add -d, --init or -p',
    )
  const [program, ...args] = ourselves(['run', '-d', '…'])
  const env = Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`)
  const tapes: Record<string, Tape> = {
    ...(detach && {
      'the monitor': monitorTape({
        program: { args: [program, ...args], env },
        ...(mine && { home: MONITOR_FD.home }),
      }),
      'the log pump of stdout (that of stderr writes another first word)': logPump('stdout'),
    }),
    ...Object.fromEntries(
      publish.map(text => [
        `the forwarder of ${text}`,
        forwarderTape({ address: EXAMPLE, port: port(text).container }),
      ]),
    ),
    ...(init && { 'process 1': initTape() }),
  }
  const width = process.stdout.columns || 100
  for (const [title, tape] of Object.entries(tapes)) {
    console.log(`${title}: ${tape.ops.length} calls`)
    for (const line of tape.print()) for (const part of lines(line, width)) console.log(part)
    console.log()
  }
  return EXIT.ok
}
