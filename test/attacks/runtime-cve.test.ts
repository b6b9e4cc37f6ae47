// The faults of runtimes that have a number, tried on minilab-oci: each attack is made so that it would succeed if the runtime did what the
// one with the fault did. Where a part of ours can be left out, or another runtime has the fault, the same attack is seen to succeed there.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Bench, type Config, type Unfit } from '../oci/bench.ts'
import { lacking, makeRootfs, OURS } from '../oci/engines.ts'

const lacks = lacking('runc', 'gcc')
describe.skipIf(lacks)(`minilab-oci${lacks}`, () => {
  const bench = new Bench()
  afterAll(() => bench[Symbol.dispose]())
  /** a root file system of the attacker, new for each test */
  let rootfs = ''
  let count = 0
  beforeEach(() => void (rootfs = makeRootfs(join(bench.folder, `image-${count++}`))))
  const started: string[] = []
  afterEach(() => started.splice(0).forEach(id => bench.oci('delete', '--force', id)))

  const at = (path: string) => join(rootfs, path)
  const secret = join(bench.folder, 'secret')
  writeFileSync(secret, 'of the host\n')

  const bundle = (args: string[], change: (config: Config & Unfit) => void = () => {}) =>
    bench.bundle(args, config => {
      config.root.path = rootfs
      config.root.readonly = false
      change(config)
    })
  const run = (args: string[], change?: (config: Config & Unfit) => void) =>
    bench.oci('run', '--bundle', bundle(args, change), 'x')
  const start = (id: string, args: string[], change?: (config: Config & Unfit) => void) => {
    started.push(id)
    expect(bench.start(OURS, id, bundle(args, change))).toBe(0)
  }
  /** A static program in the image. */
  const compile = (name: string, source: string) => {
    const file = join(bench.folder, `${name}.c`)
    writeFileSync(file, source)
    execFileSync('gcc', ['-static', '-O1', '-o', at(name), file])
  }
  /** Puts a link in the place of a directory of the image. */
  const link = (path: string, target: string) => {
    rmSync(at(path), { recursive: true, force: true })
    symlinkSync(target, at(path))
  }

  // A process inside waits for one that joins, and opens what that has open, or its memory.
  test(
    'CVE-2016-9962: what joins cannot be traced, nor its descriptors be opened',
    { timeout: 120_000 },
    () => {
      compile(
        'watch',
        `#include <dirent.h>
       #include <fcntl.h>
       #include <stdio.h>
       #include <stdlib.h>
       #include <string.h>
       #include <sys/ptrace.h>
       #include <unistd.h>
       static int named(int pid, char *name) {
         char path[64];
         sprintf(path, "/proc/%d/comm", pid);
         int fd = open(path, O_RDONLY);
         if (fd < 0) return 0;
         int n = read(fd, name, 63);
         close(fd);
         return n > 0;
       }
       /* each process that comes: while it is not yet the program, can its memory or its descriptors be opened? */
       int main() {
         int seen = 0, got = 0;
         FILE *out = fopen("/result", "w");
         while (access("/stop", F_OK) != 0)
           for (int pid = 2; pid < 200; pid++) {
             char path[64], before[64] = "", after[64] = "";
             if (pid == getpid() || !named(pid, before)) continue;
             if (!strncmp(before, "true", 4) || !strncmp(before, "touch", 5)) continue;
             seen++;
             sprintf(path, "/proc/%d/mem", pid);
             int memory = open(path, O_RDONLY);
             sprintf(path, "/proc/%d/fd/0", pid);
             int file = open(path, O_RDONLY);
             /* it counts if it was not yet the program afterwards */
             if ((memory >= 0 || file >= 0) && named(pid, after) && !strcmp(before, after)) got++;
             if (memory >= 0) close(memory);
             if (file >= 0) close(file);
           }
         fprintf(out, "%d %d\\n", seen > 0, got);
         return 0;
       }`,
      )
      /** How often it got through, and whether it saw a process in time. */
      const attack = (id: string, capabilities: string[]) => {
        for (const name of ['result', 'stop']) rmSync(at(name), { force: true })
        start(id, ['/watch'], ({ process }) => {
          process.capabilities = { bounding: capabilities, effective: capabilities, permitted: capabilities }
        })
        for (let i = 0; i < 10; i++) expect(bench.oci('exec', id, 'true').status).toBe(0)
        bench.oci('exec', id, 'touch', '/stop')
        execFileSync('sh', ['-c', `until [ -s ${at('result')} ]; do sleep 0.1; done`])
        return readFileSync(at('result'), 'utf8').trim().split(' ').map(Number)
      }
      expect(attack('untraced', ['CAP_KILL'])).toEqual([1, 0])
      // seen to be an attack: with this capability over the machine's processes, which no engine gives, the kernel lets it through
      expect(attack('traced', ['CAP_SYS_PTRACE'])[1]).toBeGreaterThan(0)
    },
  )

  test('CVE-2019-5736: the program of the runtime is not to be reached, and cannot be written', () => {
    compile(
      'overwrite',
      `#include <fcntl.h>
       #include <stdio.h>
       #include <string.h>
       #include <errno.h>
       int main(int argc, char **argv) {
         int fd = open(argv[1], O_WRONLY);
         printf("%s\\n", fd < 0 ? strerror(errno) : "open");
       }`,
    )
    // a process that is the second stage: the container waits to be started
    const path = bundle(['true'])
    started.push('waits')
    expect(
      spawnSync(OURS, ['--root', bench.root(OURS), 'create', '--bundle', path, 'waits'], { stdio: 'ignore' })
        .status,
    ).toBe(0)
    const { pid } = JSON.parse(bench.oci('state', 'waits').stdout) as { pid: number }
    const node = execFileSync('sh', ['-c', `ls ${join(OURS, '../node_modules')}/node-linux-*/bin/node`], {
      encoding: 'utf8',
    }).trim()
    expect(statSync(`/proc/${pid}/exe`).ino).not.toBe(statSync(node).ino)
    // as root of the host: the file itself refuses, whoever asks. The same program is open for writing if it is not sealed
    const open = (file: string) => execFileSync(at('overwrite'), [file], { encoding: 'utf8' })
    expect(open(`/proc/${pid}/exe`)).toMatch(/^(Operation not permitted|Text file busy)\n$/)
    expect(open(node)).toMatch(/^(open|Text file busy)\n$/)
    writeFileSync(at('bin/bad'), '#!/proc/self/exe\n', { mode: 0o755 })
    expect(run(['bad'])).toEqual({
      status: 127,
      stdout: '',
      stderr: 'exec /proc/self/exe: no such file or directory\n',
    })
  })

  test('CVE-2019-16884, CVE-2023-28642: no mount comes over /proc, and no link of the image takes its place', () => {
    const shared = join(bench.folder, 'shared')
    mkdirSync(join(shared, 'self/attr'), { recursive: true })
    for (const destination of [
      '/proc',
      '/proc/self',
      '/proc/sys',
      '/over',
      '/over/self',
      '/rel/../proc/self/attr',
    ]) {
      link('over', '/proc')
      const { status, stdout } = run(['cat', '/proc/self/comm'], ({ mounts }) =>
        mounts.push({ destination, source: shared, options: ['bind'] }),
      )
      expect([destination, status, stdout]).toEqual([destination, 1, ''])
    }
    // seen to be an attack: on a place that is no kernel's the same volume covers what was there
    expect(
      run(['ls', '/folder/self'], ({ mounts }) =>
        mounts.push({ destination: '/folder', source: shared, options: ['bind'] }),
      ).stdout,
    ).toBe('attr\n')
    link('proc', '/tmp') // 2023-28642: then masks and read-only paths would be made in /tmp
    expect(run(['ls', '/tmp'])).toMatchObject({ status: 1, stdout: '' })
  })

  test('CVE-2019-19921, CVE-2023-27561: a /proc or /sys of the image that is a link, also to a volume', () => {
    const volume = join(bench.folder, 'volume')
    mkdirSync(join(volume, 'p'), { recursive: true })
    for (const name of ['proc', 'sys'])
      for (const target of ['/vol/p', 'vol/p', '/vol', '/etc']) {
        rmSync(at(name), { recursive: true, force: true })
        symlinkSync(target, at(name))
        const { status, stdout } = run(['echo', 'runs'], ({ mounts }) =>
          mounts.unshift({ destination: '/vol', source: volume, options: ['bind'] }),
        )
        expect([name, target, status, stdout]).toEqual([name, target, 1, ''])
        rmSync(at(name))
        mkdirSync(at(name))
      }
    // and with directories there it runs, with its masks
    expect(
      run(['sh', '-c', 'cat /proc/keys; { echo 5 >/proc/sys/vm/swappiness; } 2>&1; echo runs']).stdout,
    ).toMatch(/Read-only file system\nruns\n$/)
  })

  // While containers start, a directory on the way to a place is exchanged for a link that leads out.
  test(
    'CVE-2021-30465, CVE-2024-45310: a place that is exchanged for a link while it is mounted on or made',
    { timeout: 300_000 },
    () => {
      const outside = join(bench.folder, 'outside')
      const shared = join(bench.folder, 'raced')
      mkdirSync(outside)
      mkdirSync(join(shared, 'real'), { recursive: true })
      symlinkSync(`../../../../../../../../..${outside}`, join(shared, 'link'))
      compile(
        'race',
        `#define _GNU_SOURCE
       #include <fcntl.h>
       #include <stdio.h>
       int main(int argc, char **argv) {
         chdir(argv[1]);
         for (;;) renameat2(AT_FDCWD, "real", AT_FDCWD, "link", RENAME_EXCHANGE);
       }`.replace('#include <stdio.h>', '#include <stdio.h>\n#include <unistd.h>'),
      )
      const racer = spawn(at('race'), [shared], { stdio: 'ignore' })
      try {
        const results = Array.from({ length: 12 }, () =>
          run(['true'], ({ mounts }) => {
            mounts.push({ destination: '/shared', source: shared, options: ['bind'] })
            mounts.push({ destination: '/shared/real/made/deep', source: bench.folder, options: ['bind'] })
          }),
        )
        // it may be refused, but nothing was made or mounted outside
        expect(existsSync(join(outside, 'made'))).toBe(false)
        expect(results.every(({ status, stdout }) => stdout === '' && [0, 1].includes(status ?? -1))).toBe(
          true,
        )
        expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(outside)
      } finally {
        racer.kill('SIGKILL')
      }
      // seen to be an attack: a program that makes the directories by their path makes them outside, sooner or later
      const naive = spawn(at('race'), [shared], { stdio: 'ignore' })
      try {
        execFileSync(
          'sh',
          ['-c', `until [ -e ${outside}/made ]; do mkdir -p ${shared}/real/made 2>/dev/null; done`],
          { timeout: 60_000 },
        )
      } finally {
        naive.kill('SIGKILL')
      }
    },
  )

  test('CVE-2022-29162: no capability is inheritable that the spec does not name, by exec --cap either', () => {
    const sets = ['sh', '-c', 'grep -E "^Cap(Inh|Amb)" /proc/self/status | cut -f2']
    expect(run(sets).stdout).toBe('0000000000000000\n'.repeat(2))
    start('caps', ['sleep', '1000'])
    expect(bench.oci('exec', '--cap', 'CAP_SYS_ADMIN', 'caps', ...sets).stdout).toBe(
      '0000000000000000\n'.repeat(2),
    )
    // it would be seen: with an inheritable set in the spec it is there
    const named = run(
      sets,
      ({ process }) => (process.capabilities = { ...process.capabilities, inheritable: ['CAP_KILL'] }),
    )
    expect(named.stdout).toBe('0000000000000020\n'.repeat(2))
  })

  test('CVE-2024-21626: no descriptor of the runtime or of its caller leads out, as working directory, in a program, by exec', () => {
    const outside = openSync(bench.folder, 'r')
    const words = (args: string[]) => ({
      args: ['--root', bench.root(OURS), ...args],
      stdio: [outside, 'pipe', 'pipe', outside, outside, outside, outside, outside] as const,
    })
    const call = (args: string[]) => {
      const { args: all, stdio } = words(args)
      const { status, stdout } = spawnSync(OURS, all, { encoding: 'utf8', stdio: [...stdio] })
      return { status, stdout }
    }
    try {
      for (let fd = 0; fd < 20; fd++) {
        link('into', `/proc/self/fd/${fd}`)
        for (const cwd of [`/proc/self/fd/${fd}`, `/proc/self/fd/${fd}/..`, '/into', '/into/..'].slice(
          0,
          fd > 8 ? 1 : 4,
        )) {
          const { status, stdout } = call([
            'run',
            '--bundle',
            bundle(['ls'], ({ process }) => (process.cwd = cwd)),
            'x',
          ])
          expect([cwd, status, stdout]).toEqual([cwd, 1, ''])
        }
      }
      // the caller's stdin is the only one of them that the program has
      const { stdout } = call([
        'run',
        '--bundle',
        bundle(['sh', '-c', 'for fd in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && echo $fd; done; true']),
        'x',
      ])
      expect(stdout).toBe('')
      start('fds', ['sleep', '1000'])
      for (const cwd of ['/proc/self/fd/0', '/proc/self/fd/7', '/proc/self/fd/0/secret/..'])
        expect(call(['exec', '--cwd', cwd, 'fds', 'ls'])).toEqual({ status: 255, stdout: '' })
      // it is an attack: a program that inherits the directory and is not stopped reads the host's file there
      const unprotected = spawnSync('sh', ['-c', 'cd /proc/self/fd/7 && cat secret'], {
        encoding: 'utf8',
        stdio: [...words([]).stdio],
      })
      expect(unprotected.stdout).toBe('of the host\n')
    } finally {
      closeSync(outside)
    }
  })

  test('CVE-2025-31133: a /dev/null of the image that is a link is not what masks a file', () => {
    const masked = ['sh', '-c', 'cat /etc/shadowed; cat /proc/keys; [ -c /proc/keys ] && echo masked']
    writeFileSync(at('etc/shadowed'), 'secret\n')
    const ownDev = ({ linux }: Config) => (linux.maskedPaths = ['/etc/shadowed', '/proc/keys'])
    expect(run(masked, ownDev).stdout).toBe('masked\n')
    // without a /dev of its own the image's is used: its null is a link to the file that should be masked, or to what may be written
    for (const target of ['/proc/keys', '/etc/shadowed', '/proc/sys/vm/swappiness', '/tmp']) {
      link('dev/null', target)
      const { status, stdout } = run(masked, config => {
        ownDev(config)
        config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith('/dev'))
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'ipc')
      })
      expect(status === 0 ? stdout : 'refused').toMatch(/^masked\n$|^refused$/)
    }
    expect(readFileSync(at('etc/shadowed'), 'utf8')).toBe('secret\n')
  })

  test('CVE-2025-52565: a /dev/console or /dev/pts of the image that is a link is not mounted on', () => {
    const script =
      'ls -l /dev/console | cut -c 1; grep -c swappiness /proc/self/mountinfo; cat /proc/sys/vm/swappiness; tty'
    const look = (setting: string) => {
      const { stdout } = run(['sh', '-c', script], ({ process, mounts }) => {
        process.terminal = true
        if (setting === 'of the image')
          mounts.splice(
            mounts.findIndex(({ destination }) => destination === '/dev'),
            1,
          )
      })
      return stdout.replaceAll('\r', '').trim().split('\n')
    }
    const swappiness = readFileSync('/proc/sys/vm/swappiness', 'utf8').trim()
    // it is mounted where there is a file: so a link would be followed by a runtime that follows it
    writeFileSync(at('dev/console'), '')
    expect(look('of the image')).toEqual(['c', '0', swappiness, '/dev/pts/0'])
    link('dev/console', '/proc/sys/vm/swappiness')
    expect(look('of the image')).toEqual(['l', '0', swappiness, '/dev/pts/0'])
    expect(look('its own')).toEqual(['c', '0', swappiness, '/dev/pts/0'])
    link('dev/pts', '/proc/sys/vm')
    expect(look('of the image')).toEqual([''])
  })

  test('CVE-2025-52881: what is written to /proc is written there, whatever the image has in its place', () => {
    const decoy = join(bench.folder, 'decoy')
    mkdirSync(join(decoy, 'sys/net/ipv4'), { recursive: true })
    writeFileSync(join(decoy, 'sys/net/ipv4/ip_forward'), 'decoy\n')
    const sysctl = { 'net.ipv4.ip_forward': '1' }
    for (const change of [
      () => link('proc', '/decoy'),
      () => {
        rmSync(at('proc'), { recursive: true, force: true })
        execFileSync('cp', ['-r', decoy, at('proc')])
      },
    ]) {
      change()
      const { status, stdout } = run(['cat', '/proc/sys/net/ipv4/ip_forward'], ({ linux, mounts }) => {
        linux.sysctl = sysctl
        mounts.unshift({ destination: '/decoy', source: decoy, options: ['bind'] })
      })
      expect(status === 0 ? stdout : 'refused').toMatch(/^1\n$|^refused$/)
      expect(readFileSync(join(decoy, 'sys/net/ipv4/ip_forward'), 'utf8')).toBe('decoy\n')
    }
    // a name cannot leave /proc/sys
    const { stderr } = run(['true'], ({ linux }) => (linux.sysctl = { 'net./../../sys/vm/swappiness': '7' }))
    expect(stderr).not.toBe('')
  })
})
