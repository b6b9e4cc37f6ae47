import type { Tape } from '../../kernel/tape/tape.ts'
import { MinilabError } from '../../common/errors.ts'
import type { Part } from '../part.ts'
import type { ProcessSpec, Spec } from '../spec.ts'

/** linux/sched.h */
const POLICIES: Record<string, number> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
}
const SCHEDULER_FLAGS: Record<string, number> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
}

/** linux/ioprio.h: the class is in the three uppermost of 16 bits. */
const IO_CLASSES: Record<string, number> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
}
const IOPRIO_CLASS_SHIFT = 13
const IOPRIO_WHO_PROCESS = 1

/** linux/personality.h */
const DOMAINS: Record<string, number> = { LINUX: 0, LINUX32: 8 }

/** How a container's program gets the CPU and disks, and which kind of machine it sees: fields that only an engine sets. */
export const scheduling: Part = {
  name: 'hardening',
  inside(tape, { spec }) {
    schedule(tape, spec.process)
    become(tape, spec)
  },
}

/** Before the program gives up its rights: a real-time policy needs CAP_SYS_NICE. */
function schedule(tape: Tape, { scheduler, ioPriority }: ProcessSpec): void {
  if (scheduler) {
    const { policy, nice = 0, priority = 0, flags = [], runtime = 0, deadline = 0, period = 0 } = scheduler
    const bits = flags.reduce((all, name) => all | known(SCHEDULER_FLAGS, name, 'process.scheduler.flags'), 0)
    const attr = new DataView(new ArrayBuffer(48)) // struct sched_attr, SCHED_ATTR_SIZE_VER0
    attr.setUint32(0, attr.byteLength, true)
    attr.setUint32(4, known(POLICIES, policy, 'process.scheduler.policy'), true)
    attr.setBigUint64(8, BigInt(bits), true)
    attr.setInt32(16, nice, true)
    attr.setUint32(20, priority, true)
    for (const [at, ns] of [
      [24, runtime],
      [32, deadline],
      [40, period],
    ] as const)
      attr.setBigUint64(at, BigInt(ns), true)
    tape.sched_setattr(0, new Uint8Array(attr.buffer), 0)
  }
  if (ioPriority) {
    const level = known(IO_CLASSES, ioPriority.class, 'process.ioPriority.class')
    tape.ioprio_set(IOPRIO_WHO_PROCESS, 0, (level << IOPRIO_CLASS_SHIFT) | ioPriority.priority)
  }
}

/** personality(2); the specification defines no flags. */
function become(tape: Tape, { linux: { personality } }: Spec): void {
  if (!personality) return
  if (personality.flags?.length)
    throw new MinilabError('usage', 'linux.personality.flags: none is defined', 'leave them out')
  tape.personality(known(DOMAINS, personality.domain, 'linux.personality.domain'))
}

function known(table: Record<string, number>, name: string, field: string): number {
  const value = Object.hasOwn(table, name) ? table[name] : undefined
  if (value !== undefined) return value
  throw new MinilabError(
    'usage',
    `${field} ${JSON.stringify(name)} does not exist`,
    `use one of ${Object.keys(table).join(', ')}`,
  )
}
