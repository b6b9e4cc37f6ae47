import { execFileSync, spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { describe, expect, test } from 'vitest'
import { defaultProfile, refusals } from '../../lib/container/seccomp/seccomp-default.ts'
import { compileSeccomp, seccompFlags } from '../../lib/container/seccomp/seccomp.ts'
import type { Seccomp } from '../../lib/container/seccomp/seccomp-profile.ts'
import { capabilities, defaultCapabilities } from '../../lib/kernel/process/capabilities.ts'
import { arch, numbers, syscallNumber } from '../../lib/kernel/syscalls/syscall-numbers.ts'
import type { Arch, SyscallName } from '../../lib/kernel/syscalls/syscall-numbers.ts'
import { interpret } from '../kernel/bpf-interpreter.ts'

type Argument = number | bigint
type Rules = NonNullable<Seccomp['syscalls']>

const { EPERM, ENOSYS } = constants.errno
const AUDIT_ARCH = { x64: 0xc000003e, arm64: 0xc00000b7, i386: 0x40000003, arm: 0x40000028 }
const X32 = 0x40000000

/** `allow`, `errno 1`, `kill`…: what a program decides on a call, given as its name or its number. */
function verdict(
  program: Uint8Array,
  call: SyscallName | number,
  args: Argument[] = [],
  on: keyof typeof AUDIT_ARCH = 'x64',
): string {
  const data = Buffer.alloc(64) // struct seccomp_data
  data.writeUInt32LE(typeof call === 'number' ? call : syscallNumber(call, on as Arch), 0)
  data.writeUInt32LE(AUDIT_ARCH[on], 4)
  args.forEach((arg, i) => data.writeBigUInt64LE(BigInt.asUintN(64, BigInt(arg)), 16 + 8 * i))
  return said(interpret(program, data).value)
}

function said(value: number): string {
  const action = (value & 0xffff0000) >>> 0
  const names: Record<number, string> = {
    0x80000000: 'kill process',
    0x00000000: 'kill thread',
    0x00030000: 'trap',
    0x00050000: `errno ${value & 0xffff}`,
    0x7ff00000: `trace ${value & 0xffff}`,
    0x7ffc0000: 'log',
    0x7fff0000: 'allow',
  }
  return names[action] ?? `0x${value.toString(16)}`
}

const allow = (names: string[], args?: Rules[number]['args']): Rules[number] => ({
  names,
  action: 'SCMP_ACT_ALLOW',
  ...(args && { args }),
})
const refuse = (...syscalls: Rules): Seccomp => ({ defaultAction: 'SCMP_ACT_ERRNO', syscalls })

describe('what a profile means', () => {
  test.each([
    ['SCMP_ACT_KILL', undefined, 'kill thread'],
    ['SCMP_ACT_KILL_THREAD', undefined, 'kill thread'],
    ['SCMP_ACT_KILL_PROCESS', undefined, 'kill process'],
    ['SCMP_ACT_TRAP', undefined, 'trap'],
    ['SCMP_ACT_ERRNO', undefined, 'errno 1'],
    ['SCMP_ACT_ERRNO', 42, 'errno 42'],
    ['SCMP_ACT_TRACE', 7, 'trace 7'],
    ['SCMP_ACT_LOG', undefined, 'log'],
  ] as const)('%s %s', (action, errnoRet, expected) => {
    const rule = { names: ['getpid'], action, ...(errnoRet && { errnoRet }) }
    const program = compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }, 'x64')
    expect(verdict(program, 'getpid')).toBe(expected)
    expect(verdict(program, 'getppid')).toBe('allow')
    const asDefault = { defaultAction: action, ...(errnoRet && { defaultErrnoRet: errnoRet }) }
    const inverse = compileSeccomp({ ...asDefault, syscalls: [allow(['getpid', 'getppid'])] }, 'x64')
    expect(verdict(inverse, 'read')).toBe(expected)
    expect(verdict(inverse, 'getppid')).toBe('allow')
  })

  test('another architecture is refused, whatever the profile lists and allows', () => {
    const profile: Seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_ARM'],
    }
    const x64 = compileSeccomp(profile, 'x64')
    expect(verdict(x64, 39)).toBe('allow')
    expect(verdict(x64, 39 | X32)).toBe('errno 1')
    for (const other of ['i386', 'arm', 'arm64'] as const) expect(verdict(x64, 39, [], other)).toBe('errno 1')
    const arm64 = compileSeccomp(profile, 'arm64')
    expect(verdict(arm64, 39, [], 'arm64')).toBe('allow')
    for (const other of ['i386', 'arm', 'x64'] as const) expect(verdict(arm64, 39, [], other)).toBe('errno 1')
  })

  test('a call newer than the profile is ENOSYS, unless the default lets calls pass', () => {
    const known = allow(['read', 'openat2']) // openat2 is 437
    for (const defaultAction of ['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRAP'] as const) {
      const program = compileSeccomp({ defaultAction, syscalls: [known] }, 'x64')
      expect([438, 0x3fffffff].map(number => verdict(program, number))).toEqual(
        Array(2).fill(`errno ${ENOSYS}`),
      )
      expect(verdict(program, 436)).not.toBe(`errno ${ENOSYS}`)
    }
    for (const defaultAction of ['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'] as const) {
      const program = compileSeccomp({ defaultAction, syscalls: [known] }, 'x64')
      expect(verdict(program, 438)).toBe(verdict(program, 436))
    }
    expect(verdict(compileSeccomp(refuse(), 'x64'), 0)).toBe('errno 1')
  })

  test('names that the architecture does not have are ignored', () => {
    const profile = refuse(allow(['no_such_call', 'toString', 'socketcall', 'open', 'openat']))
    expect(verdict(compileSeccomp(profile, 'x64'), 'open')).toBe('allow')
    expect(verdict(compileSeccomp(profile, 'arm64'), 'openat', [], 'arm64')).toBe('allow')
    expect(verdict(compileSeccomp(profile, 'arm64'), 'close', [], 'arm64')).toBe(`errno ${ENOSYS}`)
  })

  test('of several rules for a call one without arguments wins, then the first that holds', () => {
    const errno = (errnoRet: number, ...args: NonNullable<Rules[number]['args']>): Rules[number] => ({
      names: ['socket'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet,
      args,
    })
    const is = (index: number, value: number) => ({ index, value, op: 'SCMP_CMP_EQ' }) as const
    const rules = [errno(5, is(0, 1), is(1, 2)), errno(6, is(0, 1)), errno(7, is(1, 2)), errno(1, is(2, 2))]
    const program = compileSeccomp(refuse(...rules), 'x64')
    expect(verdict(program, 'socket', [1, 2])).toBe('errno 5')
    expect(verdict(program, 'socket', [1, 3])).toBe('errno 6')
    expect(verdict(program, 'socket', [0, 2])).toBe('errno 7')
    expect(verdict(program, 'socket', [0, 0])).toBe('errno 1')
    for (const syscalls of [
      [...rules, allow(['socket'])],
      [allow(['socket']), ...rules, errno(9)],
    ]) {
      expect(verdict(compileSeccomp(refuse(...syscalls), 'x64'), 'socket', [1, 2])).toBe('allow')
    }
    // the same as the default: no rule, as in runc, so the other one counts
    expect(verdict(compileSeccomp(refuse(errno(EPERM), allow(['socket'])), 'x64'), 'socket')).toBe('allow')
  })

  test('comparisons of different arguments must all hold, of one argument any', () => {
    const at = (index: number, value: number) => ({ index, value, op: 'SCMP_CMP_EQ' }) as const
    const all = compileSeccomp(refuse(allow(['socket'], [at(0, 1), at(1, 2)])), 'x64')
    expect(
      [
        [1, 2],
        [1, 0],
        [0, 2],
      ].map(args => verdict(all, 'socket', args)),
    ).toEqual(['allow', 'errno 1', 'errno 1'])
    const any = compileSeccomp(refuse(allow(['socket'], [at(0, 1), at(0, 2), at(1, 3)])), 'x64')
    expect(
      [
        [1, 0],
        [2, 0],
        [0, 3],
        [0, 0],
      ].map(args => verdict(any, 'socket', args)),
    ).toEqual([...['allow', 'allow', 'allow', 'errno 1']])
  })
})

const operators = {
  SCMP_CMP_EQ: (a: bigint, b: bigint) => a === b,
  SCMP_CMP_NE: (a: bigint, b: bigint) => a !== b,
  SCMP_CMP_LT: (a: bigint, b: bigint) => a < b,
  SCMP_CMP_LE: (a: bigint, b: bigint) => a <= b,
  SCMP_CMP_GE: (a: bigint, b: bigint) => a >= b,
  SCMP_CMP_GT: (a: bigint, b: bigint) => a > b,
  SCMP_CMP_MASKED_EQ: (a: bigint, mask: bigint, b: bigint) => (a & mask) === (b & mask),
}
const edges = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 63n, 2n ** 64n - 1n]

test.each(Object.keys(operators) as (keyof typeof operators)[])('%s compares 64 bits without a sign', op => {
  for (const value of edges) {
    for (const valueTwo of op === 'SCMP_CMP_MASKED_EQ' ? edges : [0n]) {
      const program = compileSeccomp(refuse(allow(['getpid'], [{ index: 5, value, valueTwo, op }])), 'x64')
      const wanted = edges.map(arg => (operators[op](arg, value, valueTwo) ? 'allow' : 'errno 1'))
      expect(edges.map(arg => verdict(program, 'getpid', [9, 9, 9, 9, 9, arg]))).toEqual(wanted)
    }
  }
})

describe('a profile that is wrong is refused in words', () => {
  const rule = (change: object) => refuse({ names: ['getpid'], action: 'SCMP_ACT_ALLOW', ...change })
  const args = (change: object) => rule({ args: [{ index: 0, value: 0, op: 'SCMP_CMP_EQ', ...change }] })
  test.each([
    [
      'unknown seccomp action "SCMP_ACT_ALOW"',
      /did you mean SCMP_ACT_ALLOW/,
      rule({ action: 'SCMP_ACT_ALOW' }),
    ],
    ['unknown seccomp action "nonsense"', /use one of SCMP_ACT_KILL, /, rule({ action: 'nonsense' })],
    ['unknown seccomp operator "SCMP_CMP_EG"', /did you mean SCMP_CMP_/, args({ op: 'SCMP_CMP_EG' })],
    ['seccomp argument index 6', /0 to 5/, args({ index: 6 })],
    ['seccomp argument value 18446744073709552000', /2\^53/, args({ value: 2 ** 64 })],
    ['seccomp argument value -1', /2\^53/, args({ value: -1 })],
    ['seccomp argument value undefined', /2\^53/, args({ value: undefined })],
    ['seccomp errnoRet 4096', /0 to 4095/, rule({ action: 'SCMP_ACT_ERRNO', errnoRet: 4096 })],
    ['seccomp action SCMP_ACT_ALLOW takes no errnoRet', /leave errnoRet out/, rule({ errnoRet: 1 })],
    ['SCMP_ACT_NOTIFY needs a listener', /SCMP_ACT_ERRNO/, rule({ action: 'SCMP_ACT_NOTIFY' })],
  ] as const)('%s', (message, remedy, profile) => {
    expect(() => compileSeccomp(profile)).toThrow(
      expect.objectContaining({
        kind: 'usage',
        message: expect.stringContaining(message),
        remedy: expect.stringMatching(remedy),
      }),
    )
  })
})

test('flags are those of seccomp(2)', () => {
  expect(seccompFlags({ defaultAction: 'SCMP_ACT_ALLOW' })).toBe(4)
  expect(seccompFlags({ defaultAction: 'SCMP_ACT_ALLOW', flags: [] })).toBe(0)
  const flags = ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_TSYNC'] as const
  expect(seccompFlags({ defaultAction: 'SCMP_ACT_ALLOW', flags: [...flags] })).toBe(2)
  const syscalls = [{ names: ['getpid'], action: 'SCMP_ACT_NOTIFY' as const }]
  expect(seccompFlags({ defaultAction: 'SCMP_ACT_ALLOW', flags: [], syscalls })).toBe(8) // NEW_LISTENER
  const wrong = { defaultAction: 'SCMP_ACT_ALLOW', flags: ['SECCOMP_FILTER_FLAG_LOGS'] } as unknown as Seccomp
  expect(() => seccompFlags(wrong)).toThrow('unknown seccomp flag "SECCOMP_FILTER_FLAG_LOGS"')
})

// The default profile of moby/profiles (seccomp/v0.2.3) on x86-64 without capabilities, and newer calls of the same kinds
const refusedByDocker = `
  _sysctl acct add_key afs_syscall bpf chroot clock_settime create_module delete_module
  fanotify_init fchroot finit_module fsconfig fsmount fsopen fspick get_kernel_syms
  get_mempolicy getpmsg init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl
  kcmp kexec_file_load kexec_load keyctl listns lookup_dcookie lsm_get_self_attr
  lsm_list_modules lsm_set_self_attr mbind migrate_pages mount mount_setattr move_mount
  move_pages nfsservctl open_by_handle_at open_tree open_tree_attr perf_event_open pidfd_getfd
  pivot_root process_madvise putpmsg query_module quotactl quotactl_fd reboot request_key
  security set_mempolicy set_mempolicy_home_node setdomainname sethostname setns settimeofday
  swapoff swapon sysfs syslog tuxcall umount2 unshare uselib userfaultfd ustat vhangup vserver`

test('without capabilities exactly the calls that Docker refuses are EPERM', () => {
  const program = compileSeccomp(defaultProfile([]), 'x64')
  const refused = Object.keys(numbers).filter(name => verdict(program, name as SyscallName) === 'errno 1')
  expect(refused.sort()).toEqual(refusedByDocker.trim().split(/\s+/))
})

describe.each(['x64', 'arm64'] as const)('the default profile on %s', on => {
  const compiled = (caps: readonly string[]) => compileSeccomp(defaultProfile([...caps]), on)
  const usual = compiled(defaultCapabilities)
  const has = (name: SyscallName) => numbers[name][on === 'x64' ? 0 : 1] !== null

  test('every refused call is EPERM, until the container holds the capability', () => {
    for (const { calls, unless = [] } of refusals) {
      for (const call of calls.filter(has)) {
        expect([call, verdict(compiled([]), call, [], on)]).toEqual([call, 'errno 1'])
        for (const name of unless)
          expect([call, verdict(compiled([name]), call, [], on)]).toEqual([call, 'allow'])
        const without = Object.keys(capabilities).filter(
          name => !unless.includes(name as (typeof unless)[number]),
        )
        expect([call, verdict(compiled(without), call, [], on)]).toEqual([call, 'errno 1'])
      }
    }
  })

  test.each([
    ['getpid', [], 'allow'],
    ['ptrace', [], 'allow'],
    ['chroot', [], 'allow'], // CAP_SYS_CHROOT is among Docker's fourteen
    ['mount', [], 'errno 1'],
    ['clone', [constants.signals.SIGCHLD], 'allow'],
    ['clone', [0x3d0f00], 'allow'], // what glibc's pthread_create passes
    ...[0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000].map(
      flag => ['clone', [flag | constants.signals.SIGCHLD], 'errno 1'] as const, // CLONE_NEW*
    ),
    ['clone3', [], `errno ${ENOSYS}`],
    ['socket', [1], 'allow'],
    ['socket', [16], 'allow'],
    ['socket', [38], 'errno 1'], // AF_ALG
    ['socket', [2n ** 32n + 38n], 'errno 1'], // which the kernel takes for 38
    ['socket', [39], 'allow'],
    ['socket', [40], 'errno 1'], // AF_VSOCK
    ['socket', [2n ** 32n + 40n], 'errno 1'],
    ['socket', [44], 'allow'], // AF_XDP
    ['personality', [0xffffffff], 'allow'],
    ['personality', [0x40000], 'errno 1'], // ADDR_NO_RANDOMIZE
    ['io_uring_setup', [], 'errno 1'],
    ['fchmodat2', [], 'allow'],
    ['file_getattr', [], 'allow'],
  ] as [SyscallName, Argument[], string][])('%s %s: %s', (call, args, expected) => {
    expect(verdict(usual, call, args, on)).toBe(expected)
  })

  test('CAP_SYS_ADMIN brings back namespaces by clone and clone3', () => {
    const admin = compiled(['CAP_SYS_ADMIN'])
    expect(verdict(admin, 'clone', [0x10000000], on)).toBe('allow')
    expect(verdict(admin, 'clone3', [], on)).toBe('allow')
  })

  test('no call without conditions takes more than a dozen steps', () => {
    const conditional = (['clone', 'socket', 'personality'] as const).map(name => syscallNumber(name, on))
    for (let number = 0; number < 500; number++) {
      if (conditional.includes(number)) continue
      const data = Buffer.alloc(64)
      data.writeUInt32LE(number, 0)
      data.writeUInt32LE(AUDIT_ARCH[on], 4)
      expect(interpret(usual, data).steps).toBeLessThanOrEqual(12)
    }
  })
})

// The kernel is the judge: a Node of its own puts on the filter and makes the calls.
const child = `
  import { writeSync } from 'node:fs'
  import koffi from 'koffi'
  const { filter, flags, calls } = JSON.parse(process.argv[1])
  const libc = koffi.load(null)
  const syscall = libc.func('int64_t syscall(int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t)')
  const mmap = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)')
  function errnoOf([nr, ...args]) {
    const result = syscall(Number(nr), ...[...args, 0, 0, 0, 0, 0, 0].slice(0, 6).map(arg => BigInt.asUintN(64, BigInt(arg))))
    const errno = koffi.errno()
    return Number(result) === -1 ? errno : 0
  }
  // i386 code in a 64-bit process: mov eax, 20 (getpid there); int 0x80; ret
  function i386() {
    const memory = mmap(null, 4096, 7, 0x22, -1, 0)
    new Uint8Array(koffi.view(memory, 4096)).set([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3])
    const result = koffi.decode(memory, koffi.proto('int getpid32()'))()
    return result < 0 ? -result : 0
  }
  if (filter) {
    const bytes = Buffer.from(filter, 'base64')
    const program = Buffer.alloc(16) // struct sock_fprog
    program.writeUInt16LE(bytes.length / 8, 0)
    program.writeBigUInt64LE(koffi.address(bytes), 8)
    const installed = libc.func('int prctl(int, ulong, ulong, ulong, ulong)')(38, 1, 0, 0, 0) || // PR_SET_NO_NEW_PRIVS
      errnoOf([${syscallNumber('seccomp')}, 1, flags, koffi.address(program)]) // SECCOMP_SET_MODE_FILTER
    if (installed !== 0) throw new Error('seccomp: errno ' + installed)
  }
  writeSync(1, JSON.stringify(calls.map(call => call === 'i386' ? i386() : errnoOf(call))))
  // libuv has an io_uring from before the filter, and aborts when it is refused: leave without its loop
  errnoOf([${syscallNumber('exit_group')}, 0])`

type Call = [SyscallName | number, ...Argument[]] | 'i386'

function childArguments(calls: Call[], profile?: Seccomp): string[] {
  const filter = profile && Buffer.from(compileSeccomp(profile)).toString('base64')
  const numbered = calls.map(call =>
    call === 'i386'
      ? call
      : call.map(part => (typeof part === 'string' ? syscallNumber(part as SyscallName) : String(part))),
  )
  const input = { filter, flags: profile ? seccompFlags(profile) : 0, calls: numbered }
  return ['--input-type=module', '-e', child, JSON.stringify(input)]
}

const options = { cwd: import.meta.dirname, encoding: 'utf8' } as const

/** The errno that each call gives in a process of its own, 0 for none, with or without a filter. */
const live = (calls: Call[], profile?: Seccomp): number[] =>
  JSON.parse(execFileSync(process.execPath, childArguments(calls, profile), options))

describe('on the live kernel', () => {
  test('the default profile refuses what the kernel alone would not', () => {
    const refused: Call[] = [
      ['unshare', 0],
      ['mount', 0, 0, 0, 0, 0],
      ['io_uring_setup', 1, 0],
      ['clone', 0x20200], // CLONE_NEWNS | CLONE_FS, which contradict each other: it makes no child
      ['socket', 2n ** 32n + 38n, 5, 0],
      ['socket', 40, 1, 0],
      ['personality', 0x40000],
    ]
    const allowed: Call[] = [['getpid'], ['socket', 1, 1, 0], ['personality', 0xffffffff]]
    const profile = defaultProfile([...defaultCapabilities])
    expect(live(refused, profile)).toEqual(refused.map(() => EPERM))
    expect(live(allowed, profile)).toEqual(allowed.map(() => 0))
    for (const errno of live(refused)) expect(errno).not.toBe(EPERM)
    // clone3 and calls that are yet to come do not exist
    expect(live([['clone3', 0, 0], [5000]], profile)).toEqual([ENOSYS, ENOSYS])
    expect(live([['clone3', 0, 0]])).toEqual([constants.errno.EINVAL])
  })

  test('every comparison gives the verdict that our reading of the program gives', () => {
    // calls that take no arguments: whatever is in the registers, only the filter looks at it
    const free = ['getpid', 'gettid', 'getppid', 'getuid', 'geteuid', 'getgid', 'getegid'] as const
    const value = 2n ** 33n + 5n
    const args = [...edges, value - 1n, value, value + 1n, 5n, 2n ** 34n]
    const rules = (Object.keys(operators) as (keyof typeof operators)[]).map((op, i) => ({
      names: [free[i]!],
      action: 'SCMP_ACT_ERRNO' as const,
      errnoRet: 99,
      args: [{ index: 1, op, value, valueTwo: value }],
    }))
    const profile: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules }
    const program = compileSeccomp(profile)
    const calls = free.flatMap(name => args.map((arg): [SyscallName, ...Argument[]] => [name, 0, arg]))
    expect(live(calls, profile).map(errno => (errno ? `errno ${errno}` : 'allow'))).toEqual(
      calls.map(([name, ...rest]) => verdict(program, name, rest, arch)),
    )
  })

  test('a program with jumps over more than 255 instructions', () => {
    const rule = (value: number): Rules[number] => ({
      names: ['getppid'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 1000 + value,
      args: [{ index: 0, op: 'SCMP_CMP_EQ', value }],
    })
    const profile: Seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: Array.from({ length: 300 }, (_, value) => rule(value)),
    }
    const asked = [0, 1, 150, 299, 300]
    expect(compileSeccomp(profile).length / 8).toBeGreaterThan(1500)
    const calls = asked.map((value): Call => ['getppid', value])
    expect(live(calls, profile)).toEqual([1000, 1001, 1150, 1299, 0])
  })

  test.each(['SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRAP'] as const)(
    '%s ends the process with SIGSYS',
    action => {
      const profile: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['getppid'], action }] }
      const run = (calls: Call[]) => spawnSync(process.execPath, childArguments(calls, profile), options)
      expect(run([['getppid']]).signal).toBe('SIGSYS')
      expect(run([['getpid']])).toMatchObject({ signal: null, stdout: '[0]' })
    },
  )

  test('i386 and x32 code in a 64-bit process is refused', context => {
    if (arch !== 'x64') return context.skip('only x64 runs i386 code')
    const profile: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW' }
    expect(live([[39 | X32]], profile)).toEqual([EPERM])
    const alone = spawnSync(process.execPath, childArguments(['i386']), options)
    // where the kernel itself runs no i386 code (ia32_emulation=off), int 0x80 is a fault, with a filter or without
    if (alone.stdout !== '[0]') expect(alone.signal).toBe('SIGSEGV')
    else expect(live(['i386'], profile)).toEqual([EPERM])
  })
})
