import { certain } from '../../common/certain.ts'
import { asTyped } from '../../guide/as-typed.ts'
import { damagedIds, isRunning, states } from '../../container/state/state.ts'
import type { State } from '../../container/state/state-shape.ts'
import { printable } from '../../common/printable.ts'
import { isAlive } from '../../kernel/process/procfs.ts'
import { warn } from '../report-error.ts'

/** `minilab ps`: lists the containers, from the state files and the kernel. */
export function ps(flags: { all?: boolean; json?: boolean }): void {
  for (const id of damagedIds())
    warn(`the state of container ${id} is damaged: minilab rm -f ${id} removes it`)
  const rows = states().flatMap(state => {
    const up = isRunning(state)
    if (!up && !flags.all) return []
    const { id, name, image, command, created, ports, address, pid, exit } = state
    if (up)
      for (const port of closedPorts(state))
        warn(
          `port ${port} of ${name} is closed, because its forwarder was killed: remove ${name}, and run it again`,
        )
    return [
      {
        id,
        name,
        image,
        command,
        status: up ? 'running' : status(exit),
        pid: up ? pid : null,
        created,
        ports,
        address,
      },
    ]
  })
  if (flags.json) return console.log(JSON.stringify(rows))
  const header = {
    id: 'ID',
    name: 'NAME',
    image: 'IMAGE',
    command: ['COMMAND'],
    status: 'STATUS',
    pid: 'PID',
    ports: ['PORTS'],
  }
  const cells = [header, ...rows].map(row => [
    row.id,
    row.name,
    row.image,
    shorten(row.command.join(' ')),
    row.status,
    String(row.pid ?? ''),
    row.ports.join(' '),
  ])
  for (const row of cells) row.forEach((cell, column) => void (row[column] = printable(cell)))
  const widths = certain(cells[0]).map((_, column) =>
    Math.max(...cells.map(row => certain(row[column]).length)),
  )
  for (const row of cells)
    console.log(
      row
        .map((cell, column) => cell.padEnd(certain(widths[column])))
        .join('  ')
        .trimEnd(),
    )
  if (rows.length === 0)
    process.stderr.write(
      asTyped(
        `${flags.all ? 'there is no container' : 'no container is running'}: minilab run default /bin/sh starts one\n`,
      ),
    )
}

/** The published ports whose forwarder has ended. */
const closedPorts = ({ ports, forwarders = [] }: State) =>
  ports.filter((_, i) => {
    const { pid, started } = forwarders[i] ?? {}
    return pid !== undefined && started !== undefined && !isAlive(pid, started)
  })

const shorten = (text: string) => (text.length > 30 ? `${text.slice(0, 29)}…` : text)
const status = (exit: State['exit']) => (exit ? `exited (${exit.status})` : 'ended (status unknown)')
