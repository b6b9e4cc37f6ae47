// `npm run test:vm -- [--arch arm64] [--mutants] [--only REGEXP] [--book check|sync]`
// minilab on another machine: a Debian with systemd and cgroup v2 alone.
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { accelerators } from './accelerators.ts'
import { isBookAction } from './book.ts'
import { logIn, start } from './boot.ts'
import { checkoutDisk, modulesDisk } from './disks.ts'
import { needPrograms } from './host-programs.ts'
import { systemImage } from './image.ts'
import { type Machine, machines } from './machines.ts'
import { judgeAll, type Wanted } from './judge-all.ts'
import { VmProblem } from './problem.ts'
import type { Qemu } from './qemu.ts'
import { Tally } from './tally.ts'

/** For all of it, once the disks are there; with the mutants, ten times as many commands. In minutes. */
const LIMIT = 120
const LIMIT_WITH_MUTANTS = 600

const tally = new Tally()
let qemu: Qemu | undefined

async function main(machine: Machine, wanted: Wanted): Promise<void> {
  needPrograms(machine)
  const system = await systemImage(machine)
  const modules = await modulesDisk(machine)
  const checkout = await checkoutDisk()
  try {
    const { list, why } = accelerators(machine)
    console.log(`booting a Debian for ${machine.debian} on ${list.join(' or ')} (${why})`)
    const began = performance.now()
    const disks = { system, others: [checkout.image, modules], scratch: checkout.folder }
    qemu = await start(machine, list, disks, one => (qemu = one))
    const guest = await logIn(qemu)
    console.log(`there after ${Math.round((performance.now() - began) / 1000)} s`)
    const limit = wanted.mutants ? LIMIT_WITH_MUTANTS : LIMIT
    const late = sleep(limit * 60_000, undefined, { ref: false }).then(() => {
      throw new VmProblem(`it is not done after ${limit} minutes`)
    })
    await Promise.race([judgeAll(machine, guest, tally, wanted), late])
  } finally {
    await qemu?.end()
    rmSync(checkout.folder, { recursive: true })
  }
}

function machineOf(arch: string): Machine {
  const machine = Object.values(machines).find(machine => machine.arch === arch)
  if (!machine) throw new VmProblem(`--arch ${arch}: give it ${Object.keys(machines).join(' or ')}`)
  return machine
}

// with its guest gone, all else goes the way of an error
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void (qemu ? qemu.end() : process.exit(1)))

try {
  const { arch, only, book, ...wanted } = parseArgs({
    options: {
      arch: { type: 'string', default: 'x64' },
      mutants: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      book: { type: 'string' },
    },
  }).values
  if (book !== undefined && !isBookAction(book)) throw new VmProblem(`--book ${book}: give it check or sync`)
  await main(machineOf(arch), { ...wanted, only: new RegExp(only), book })
} catch (error) {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (!(error instanceof VmProblem) && !code.startsWith('ERR_PARSE_ARGS')) throw error
  tally.failed++
  console.log(`✘ ${message}`)
}
if (tally.failed > 0 && qemu) console.log(`\nthe guest's console:\n${qemu.console}`)
console.log(tally.verdict)
process.exit(tally.failed > 0 ? 1 : 0)
