// The seam by which tests break minilab from within: `node --import fault.ts bin.mjs …`. What minilab does to the machine
// passes a few functions only: those of node:fs and node:child_process that change something, the system calls of
// `now`, netlink requests, and the tapes. Each is replaced here by one that counts first; the product knows nothing of it.
//
//   MINILAB_FAULT=count          every operation is logged
//   MINILAB_FAULT=kill:0/17      process 0 is killed right after its operation 17 (1 is the minilab that it starts or becomes)
//   MINILAB_FAULT=kill:0/t2.5    … when the child that replays its second tape has made call 5 (0: the clone3) and not yet the next
//   MINILAB_FAULT=ENOSPC:0/17    that operation, or that call of the tape, is refused
//   MINILAB_FAULT_LOG=FILE       takes a line for each operation, before it is made: id, call, arguments
import childProcess from 'node:child_process'
import fs from 'node:fs'
import module from 'node:module'
import net from 'node:net'
import koffi from 'koffi'
import { errnoMeaning, errnoNumber } from '../../lib/common/errno.ts'
import { SecondStage } from '../../lib/kernel/tape/second-stage.ts'
import { OP } from '../../lib/kernel/tape/launchpad.ts' // bytes and numbers: it loads nothing that is replaced here
import { type Message, Netlink, NetlinkError } from '../../lib/kernel/netlink/netlink.ts'
import { diagnose } from '../../lib/kernel/syscalls/diagnose.ts'
import { int32s, now } from '../../lib/kernel/syscalls/now.ts'
import { SyscallError } from '../../lib/kernel/syscalls/syscall-error.ts'
import { type Call, printArgs } from '../../lib/kernel/syscalls/syscalls.ts'
import { type Op, Tape } from '../../lib/kernel/tape/tape.ts'

/** What befalls an operation: its process is killed right after it, or it is refused. */
export type Fault = 'kill' | 'ENOSPC' | 'EMFILE' | 'EPERM' | 'ENOMEM'

type Act = (...args: unknown[]) => unknown

const processNumber = Number(process.env.MINILAB_FAULT_PROCESS ?? 0)
process.env.MINILAB_FAULT_PROCESS = String(processNumber + 1) // for the minilab that this one starts
const [kind = 'count', target = ''] = (process.env.MINILAB_FAULT ?? 'count').split(':')
const errno = kind === 'count' || kind === 'kill' ? 0 : errnoNumber(kind)
/** `17`, or `t2.5`; undefined where another process is meant */
const wanted = target.startsWith(`${processNumber}/`) ? target.slice(target.indexOf('/') + 1) : undefined

const { writeSync, readlinkSync } = fs
const log = process.env.MINILAB_FAULT_LOG ? fs.openSync(process.env.MINILAB_FAULT_LOG, 'a') : undefined
function note(id: string, call: string, args: string): void {
  if (log !== undefined)
    writeSync(
      log,
      [`${processNumber}/${id}`, call, args.replaceAll(/[\t\n]/g, ' ').slice(0, 300)].join('\t') + '\n',
    )
}
const fired = () => note('fired', kind, target)

function die(): void {
  fired()
  process.kill(process.pid, 'SIGKILL')
}

let count = 0
let last = ''
let done = false
let within = false // an operation that is made of others counts once

/** Passes one operation of this process: counts it, and makes it, or refuses it, or dies after it. */
function operation<T>(call: string, args: string, act: () => T, refuse: () => T): T {
  if (within) return act()
  // the same thing over and over is somebody waiting until the kernel allows it: one operation
  if (last !== (last = call + args)) note(String(++count), call, args)
  if (String(count) !== wanted) return whole(act)
  if (errno) {
    if (done) return whole(act) // who tries again may succeed
    done = true
    fired()
    return refuse()
  }
  if (call === 'execve') die() // afterwards we would be another program
  try {
    return whole(act)
  } finally {
    die()
  }
}

function whole<T>(act: () => T): T {
  const outer = within
  within = true
  try {
    return act()
  } finally {
    within = outer
  }
}

// ─── node:fs: what changes files, and what takes a descriptor

const FILES = [
  ...['appendFileSync', 'chmodSync', 'chownSync', 'copyFileSync', 'cpSync', 'fchmodSync', 'fchownSync'],
  ...['ftruncateSync', 'lchownSync', 'linkSync', 'lutimesSync', 'mkdirSync', 'mkdtempSync', 'openSync'],
  ...['renameSync', 'rmSync', 'rmdirSync', 'symlinkSync', 'truncateSync', 'unlinkSync', 'utimesSync'],
  ...['watch', 'writeFileSync', 'writeSync'],
]
const functions = fs as unknown as Record<string, Act>
for (const name of FILES) {
  const original = functions[name]!
  functions[name] = (...args) =>
    operation(
      name.replace(/Sync$/, ''),
      args
        .filter(arg => ['string', 'number'].includes(typeof arg) || Buffer.isBuffer(arg))
        .map(show)
        .join(', '),
      () => original(...args),
      () => {
        throw fileError(name, args[0])
      },
    )
}

// it opens what it reads by fs.openSync, and only looks
const { readFileSync } = fs
Object.assign(fs, {
  readFileSync: (...args: Parameters<typeof readFileSync>) => whole(() => readFileSync(...args)),
})

function show(arg: unknown, i: number): string {
  if (typeof arg !== 'number' || i > 0) return String(arg)
  try {
    return readlinkSync(`/proc/self/fd/${arg}`)
  } catch {
    return String(arg) // no descriptor: the operation will say so
  }
}

/** As Node makes it. */
function fileError(name: string, place: unknown): Error {
  const call =
    { writeFileSync: 'open', mkdtempSync: 'mkdtemp', rmSync: 'rm' }[name] ?? name.replace(/Sync$/, '')
  const path = typeof place === 'number' ? undefined : String(place)
  const message = `${kind}: ${errnoMeaning(errno)}, ${call}${path === undefined ? '' : ` '${path}'`}`
  return Object.assign(new Error(message), {
    errno: -errno,
    code: kind,
    syscall: call,
    ...(path !== undefined && { path }),
  })
}

// ─── node:child_process

const { spawnSync } = childProcess
Object.assign(childProcess, {
  spawnSync: (command: string, args: string[], options: object) =>
    operation(
      'spawnSync',
      [command, ...args].join(' '),
      () => spawnSync(command, args, options),
      () => ({
        ...{ pid: 0, output: [], status: null, signal: null },
        ...{ stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) },
        error: fileError(`spawnSync ${command}`, command),
      }),
    ),
})
const starter = childProcess.ChildProcess.prototype as unknown as {
  spawn(this: { _handle: object }, options: { file: string; args: string[] }): unknown
}
const { spawn } = starter
starter.spawn = function (options) {
  return operation(
    'spawn',
    options.args.slice(1).join(' '),
    () => spawn.call(this, options),
    () => {
      Object.assign(this._handle, { spawn: () => -errno })
      return spawn.call(this, options)
    },
  )
}
module.syncBuiltinESMExports()

// ─── the system calls of `now`

/** Those that only look, or cannot be refused. */
const UNCOUNTED =
  'close exit_group getpid getsockname lgetxattr llistxattr newfstatat ppoll prctl read recvfrom statx umask waitid'
const { fcntl, pipe2, pidfd_open } = now
for (const [name, original] of Object.entries(now) as [Call, Act][]) {
  if (UNCOUNTED.split(' ').includes(name)) continue
  const counted: Act = (...args) =>
    operation(
      name,
      printArgs(name, args),
      () => original(...args),
      () => {
        throw new SyscallError(name, printArgs(name, args), errno, undefined, diagnose(name, args, errno))
      },
    )
  Object.assign(now, { [name]: counted })
}

// ─── netlink

// eslint-disable-next-line typescript/unbound-method -- called with its object below
const { request } = Netlink.prototype
Netlink.prototype.request = function (message: Message, args, content, flags) {
  const ask = () => request.call(this, message, args, content, flags) as never
  if (message.call.startsWith('RTM_GET')) return whole(ask) // it only looks
  return operation(message.call, args, ask, () => {
    throw new NetlinkError(message, args, errno, null)
  })
}

// ─── tapes: numbered in the order of their recording, in which they are launched

const tapes: Tape[] = []
const standalone = new WeakSet<Tape>()
const TAPE_FD = 9 // tape-file.ts
const [, tapeNumber, callNumber] = (/^t(\d+)\.(\d+)$/.exec(wanted ?? '') ?? []).map(Number)

/** Ours lie up there, and a tape that closes everything above 2 leaves them alone. */
const HIGH = 900
const F_DUPFD = 0

/** Two calls more: one tells us that the child has come here, one keeps it here until we are dead. Then it goes on. */
function diesHere(): (tape: Tape) => void {
  const pair = new Uint8Array(8)
  pipe2(pair, fs.constants.O_NONBLOCK)
  const [ours = -1, low = -1] = int32s(pair)
  const theirs = fcntl(low, F_DUPFD, HIGH)
  new net.Socket({ fd: ours, readable: true, writable: false }).on('data', die).unref()
  const pidfd = fcntl(pidfd_open(process.pid, 0), F_DUPFD, HIGH)
  const death = new Uint8Array(new Int32Array([pidfd, 1]).buffer) // struct pollfd: POLLIN
  return tape => {
    record.call(tape, 'write', [theirs, Buffer.from('!'), 1], { min: -4095n })
    record.call(tape, 'ppoll', [death, 1, 0, 0, 8], { min: -4095n })
  }
}
const stop = kind === 'kill' && tapeNumber !== undefined ? diesHere() : () => {}

// eslint-disable-next-line typescript/unbound-method -- called with its object below
const { record } = Tape.prototype
Tape.prototype.record = function (call, args, limits) {
  // what is nothing but a tape is no child of ours that is launched: test/kernel/standalone.test.ts has its faults
  if (!tapes.includes(this) && call === 'close' && args[0] === TAPE_FD) standalone.add(this)
  // after a jump no call can be added
  const jumps = limits?.under !== undefined && limits.under === limits.over
  if (standalone.has(this) || jumps) return record.call(this, call, args, limits)
  if (!tapes.includes(this)) {
    tapes.push(this)
    note(`t${tapes.length}.0`, 'clone3', 'of a tape')
    if (tapes.length === tapeNumber && callNumber === 0) stop(this)
    counts.set(this, 0)
  }
  const [tape, at] = [tapes.indexOf(this) + 1, counts.get(this)! + 1]
  counts.set(this, at)
  note(
    `t${tape}.${at}`,
    call,
    args
      .map(arg => (['string', 'number', 'bigint'].includes(typeof arg) ? String(arg as string) : ''))
      .join(', '),
  )
  if (call === 'close_range' && kind === 'kill' && tape === tapeNumber) args = [args[0], HIGH - 1, args[2]]
  const later = record.call(this, call, args, limits)
  if (tape === tapeNumber && at === callNumber) {
    meant = later.op
    stop(this)
  }
  return later
}
let meant: Op | undefined
const counts = new Map<Tape, number>()

// where the tape goes to the launchpad: launch.ts has it from koffi.decode
type Launch = (
  args: bigint,
  size: bigint,
  ops: bigint,
  end: bigint,
  done: (e: Error | null, result: number) => void,
) => void
const NOT_RUN = -(2n ** 63n)
let launches = 0
const { decode } = koffi
Object.assign(koffi, {
  decode: (...args: Parameters<typeof decode>) => {
    const code = decode(...args) as unknown as { async?: Launch }
    if (!code.async) return code
    const launch: Launch = code.async.bind(code)
    code.async = (cloneArgs, size, ops, end, done) => {
      const tape = ++launches === tapeNumber ? tapes[launches - 1] : undefined
      if (!tape || (isInSecond(tape) && kind !== 'kill')) return launch(cloneArgs, size, ops, end, done)
      if (kind === 'kill')
        return launch(cloneArgs, size, ops, end, (...ended) => {
          die() // by an execve that succeeded, say: there is no next call
          done(...ended)
        })
      fired()
      if (!meant) return void setImmediate(() => done(null, -errno))
      const number = tape.ops.indexOf(meant)
      const op = new DataView(koffi.view(ops, Number(end - ops)), OP.size * number, OP.size)
      refuse(op)
      launch(cloneArgs, size, ops, end, (...ended) => {
        giveError(op)
        done(...ended)
      })
    }
    return code
  },
})

/** Whether the call that is to fail, or behind which we are to die, is one of the second stage. */
const isInSecond = ({ ops, second }: Tape) => Boolean(meant && second && ops.indexOf(meant) >= second.at)

/** ENOSYS: no such call; and here becomes the error that was asked for. */
const refuse = (op: DataView) => op.setBigInt64(OP.nr, -1n, true)
const giveError = (op: DataView) => {
  if (op.getBigInt64(OP.result, true) !== NOT_RUN) op.setBigInt64(OP.result, BigInt(-errno), true)
}

// ─── second stages: their ops are in a file, which is filled before the launch, and read when they are over

/** The op that is meant, in the arena of its second stage; undefined where this is another's. */
function meantIn(stage: SecondStage, address = stage.arena.view.getBigUint64(0, true)): DataView | undefined {
  const tape = tapes.find(({ second }) => second?.stage === stage)
  if (!tape?.second || tapes.indexOf(tape) + 1 !== tapeNumber || !isInSecond(tape)) return undefined
  const { view } = stage.arena
  const first = Number(address - stage.arena.base)
  const at = first + OP.size * (tape.ops.indexOf(meant!) - tape.second.at)
  return new DataView(view.buffer, view.byteOffset + at, OP.size)
}

// eslint-disable-next-line typescript/unbound-method -- called with their object below
const { fill, look } = SecondStage.prototype
SecondStage.prototype.fill = function (bounds) {
  const op = meantIn(this, bounds[0])
  if (op && kind !== 'kill') {
    fired()
    refuse(op)
  }
  fill.call(this, bounds)
}
SecondStage.prototype.look = function () {
  look.call(this)
  const op = kind === 'kill' ? undefined : meantIn(this)
  if (op) giveError(op)
}
