// `--mine`: a learner's solved workspace is the runtime of real engines.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { initWorkspace } from '../../lib/labs/workspace.ts'
import { prove, solve } from '../labs/support.ts'
import {
  type Daemon,
  lacking,
  makeFolder,
  makeTar,
  OURS,
  podmanFiles,
  remove,
  removeNamespaceCgroups,
  said,
  saveImage,
  startContainerd,
} from './engines.ts'
import { DOCKERS_CGROUP, PUBLISHED, startDocker } from './docker.ts'

/** With the learner's parts it says the same as with runc; RUN is `docker run` with its flags. */
const SCRIPTS: [name: string, script: string, says: RegExp][] = [
  ['runs a program', 'RUN bb echo hi', /^hi\n\[0\]/],
  ['passes on the exit status', `RUN bb sh -c 'exit 42'`, /\[42\]/],
  ['has no such program', 'RUN bb nosuch', /executable file not found in \$PATH.*\[127\]/s],
  ['reads stdin', 'echo typed | RUN -i bb cat', /^typed\n/],
  ['-u, -w, -e', `RUN -u u -w /tmp -e A=b bb sh -c 'id; pwd; echo $A'`, /uid=1000\(u\).*\/tmp\nb\n/s],
  [
    '-v, --tmpfs, --read-only',
    `RUN --read-only --tmpfs /t -v $V:/v:ro bb sh -c 'exec 2>&1; cat /v/f; touch /t/x && ls /t; touch /v/x; touch /x'`,
    /data\nx\n.*\/v\/x: Read-only.*\/x: Read-only/s,
  ],
  ['--cap-drop', 'RUN --cap-drop ALL bb grep Cap /proc/self/status', /CapEff:\t0+\n/],
  [
    'no_new_privs',
    `RUN --security-opt no-new-privileges bb grep -E 'NoNew|Seccomp:' /proc/self/status`,
    /:\t1\n.*:\t2\n/,
  ],
  ['--hostname', 'RUN --hostname box bb hostname', /^box\n/],
  ['--sysctl', 'RUN --sysctl kernel.msgmax=9000 bb cat /proc/sys/kernel/msgmax', /^9000\n/],
  [
    'limits, as the container sees them',
    `RUN --memory 32m --cpus 0.5 --cpu-shares 512 --pids-limit 9 bb sh -c 'cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes
     cat cpu.max cpu/cpu.cfs_quota_us cpu.weight cpu/cpu.shares pids.max pids/pids.max 2>/dev/null' 2>/dev/null`,
    /33554432\n/,
  ],
  ['--device', 'RUN --device /dev/fuse bb ls -l /dev/fuse', /10, 229/],
]

/** What only a container from lab 3's part has: the host's device files, where runc makes new ones. */
const IS_THEIRS = `RUN bb grep -c ' /dev/null ' /proc/self/mountinfo`

const lacks = lacking(
  'dockerd',
  'docker',
  'docker-proxy',
  'iptables',
  'podman',
  'containerd',
  'ctr',
  'conmon',
  'runc',
  'script',
)
describe.skipIf(lacks)(`--mine${lacks}`, () => {
  const folder = makeFolder()
  const mine = join(folder, 'mine')
  const V = join(folder, 'volume')
  beforeAll(() => {
    solve(initWorkspace(mine).workspace)
    mkdirSync(V)
    writeFileSync(join(V, 'f'), 'data\n')
  })
  afterAll(() => remove(folder))

  describe('docker run --runtime mine', () => {
    let docker: Daemon
    beforeAll(async () => {
      docker = await startDocker(folder, {
        runtimes: {
          mine: { path: join(mine, 'minilab-oci') },
          args: { path: OURS, runtimeArgs: ['--mine', '--workspace', mine] },
        },
      })
      docker.env.V = V
    })
    afterAll(() => docker[Symbol.asyncDispose]())
    const run = (script: string, runtime: string) =>
      said(script.replaceAll('RUN', 'docker run --runtime $R --network none --rm'), runtime, docker.env)

    test.each([
      ...SCRIPTS,
      ['--ulimit', `RUN --ulimit nofile=100:200 bb sh -c 'ulimit -n; ulimit -Hn'`, /^100\n200\n/] as const,
    ])('%s', (_, script, says) => {
      const theirs = run(script, 'mine')
      expect(theirs).toMatch(says)
      expect(theirs).toBe(run(script, 'runc'))
    })

    test("it is the learner's container, and may be registered with runtimeArgs", () => {
      expect([run(IS_THEIRS, 'mine'), run(IS_THEIRS, 'args')]).toEqual(['1\n[0]\n', '1\n[0]\n'])
      expect(run(IS_THEIRS, 'runc')).toBe('0\n[1]\n')
    })

    test('exec, pause, stop, logs, -t', () => {
      const script = `docker run --runtime $R --network none -d --name cc bb sh -c 'trap "echo term; exit 7" TERM; echo started; while :; do sleep 0.1; done'
        until docker logs cc | grep -q started; do sleep 0.1; done; docker exec cc echo in; docker exec cc sh -c 'exit 9'; echo $?
        docker pause cc; docker inspect -f '{{.State.Status}}' cc; docker unpause cc; docker stop cc; docker logs cc
        docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' cc; docker rm -f cc
        script -qec 'RUN -it bb sh -c "tty; exit 5"' /dev/null </dev/null`
      const theirs = run(script, 'mine')
      expect(theirs).toMatch(/in\n9\n.*paused\n.*term\n.*exited 7\n.*\/dev\/pts\/0.*\[5\]/s)
      expect(theirs).toBe(run(script, 'runc'))
    })

    test('-p', () => {
      expect(run(PUBLISHED, 'mine')).toBe('80/tcp -> 127.0.0.1\ndata\neth0\nlo\n[0]\n')
    })

    test.each([
      ['throws', "throw new Error('not ' + 'today')", /your own code threw an error here, “not today”/],
      [
        'makes a call that is refused',
        "tape.chdir('/nowhere') // not today",
        /7-run\.ts:\d+ \(tape\.chdir.*not today\): chdir\("\/nowhere"\): no such file/,
      ],
      ['ends minilab-oci', 'process.exit(0)', /your code ended minilab-oci/],
    ])('a part that %s is one line of the error, and leaves nothing', (_, line, says) => {
      const file = join(mine, '7-run.ts')
      const right = readFileSync(file, 'utf8')
      const states = join(folder, 'docker/exec/runtime-runc/moby') // dockerd 20.10 gives all runtimes this --root
      const left = () =>
        run(
          `docker ps -aq; find /sys/fs/cgroup -type d -path "*/${DOCKERS_CGROUP}/?*"; ls -A ${states}`,
          'mine',
        )
      try {
        writeFileSync(file, right.replace('inside(tape, { spec }) {\n', `$&    ${line}\n`))
        expect(run('RUN bb true', 'mine')).toContain(
          '7-run.ts has not passed its checks as root since its last change: sudo minilab check 7',
        )
        prove({ folder: mine })
        const lines = run('RUN bb true', 'mine').split('\n')
        expect(lines.filter(text => says.test(text))).toHaveLength(1)
        expect(lines.at(-2)).toMatch(/^\[12[567]\]$/)
        expect(left()).toBe('[0]\n')
      } finally {
        writeFileSync(file, right)
        prove({ folder: mine })
      }
      expect(run('RUN bb echo hi', 'mine')).toBe('hi\n[0]\n')
    })
  })

  // what ctr passes to the shim as BinaryName
  describe('ctr run --runc-binary mine', () => {
    const launcher = join(mine, 'minilab-oci')
    const ID = 'docker.io/library/bb:latest c'
    let containerd: Daemon
    beforeAll(async () => {
      const at = join(folder, 'ctr')
      mkdirSync(at)
      containerd = await startContainerd(at, [saveImage(at, 'bb', makeTar(at), { Env: ['PATH=/bin'] })])
      containerd.env.V = V
    })
    afterAll(async () => {
      await containerd[Symbol.asyncDispose]()
      removeNamespaceCgroups()
    })
    const run = (script: string, runtime: string) =>
      said(script.replaceAll('RUN', 'ctr run --runc-binary $R'), runtime, containerd.env)

    test.each([
      ['runs a program', `RUN --rm ${ID} sh -c 'id; exit 4'`, /^uid=0.*\[4\]/s],
      ['has no such program', `RUN --rm ${ID} nosuch`, /executable file not found in \$PATH/],
      [
        '--read-only, --mount',
        `RUN --rm --read-only --mount type=bind,src=$V,dst=/v,options=rbind:ro ${ID} sh -c 'exec 2>&1; cat /v/f; touch /v/x; touch /y'`,
        /data\n.*\/v\/x: Read-only.*\/y: Read-only/s,
      ],
      [
        'task exec, pause, resume, kill',
        `RUN -d ${ID} sleep 100; ctr task exec --exec-id e c sh -c 'echo in; exit 3'; echo $?; status() { ctr task ls | grep -o '[A-Z]*$'; }
         ctr task pause c; status; ctr task resume c; status; ctr task kill -s KILL c; until status | grep -q STOPPED; do sleep 0.1; done
         ctr task rm c 2>&1 | sed 's/.*level/level/'; ctr container rm c`,
        /^in\n3\n.*PAUSED\n.*RUNNING\n.*exit code 137/s,
      ],
    ])('%s', (_, script, says) => {
      const theirs = run(script, launcher)
      expect(theirs).toMatch(says)
      expect(theirs).toBe(run(script, 'runc'))
    })

    test("it is the learner's container", () => {
      const script = IS_THEIRS.replace('RUN bb', `RUN --rm ${ID}`)
      expect([run(script, launcher), run(script, 'runc')]).toEqual(['1\n[0]\n', '0\n[1]\n'])
    })
  })

  describe('podman --runtime mine', () => {
    const env: NodeJS.ProcessEnv = { ...process.env, V }
    beforeAll(() => {
      mkdirSync(join(folder, 'podman'))
      Object.assign(env, podmanFiles(join(folder, 'podman'), { mine: join(mine, 'minilab-oci') }))
      execFileSync('podman', ['import', makeTar(join(folder, 'podman')), 'bb'], { env, stdio: 'ignore' })
    })
    const run = (script: string, runtime: string) =>
      said(script.replaceAll('RUN', 'podman --runtime $R run --network none --rm'), runtime, env)

    test.each(SCRIPTS)('%s', (_, script, says) => {
      const theirs = run(script, 'mine').replaceAll('Error: mine: ', 'Error: ')
      expect(theirs).toMatch(says)
      expect(theirs).toBe(run(script, 'runc').replaceAll('Error: runc: ', 'Error: '))
    })

    test('in a pod it joins the namespaces of another container', () => {
      const script = `podman --runtime $R pod create --name pp --network none --infra-command /pause --infra-image bb --share net,ipc,uts >/dev/null
        podman --runtime $R run --pod pp --rm bb hostname; podman pod rm -f -t 0 pp >/dev/null`
      expect(run(script, 'mine')).toBe('pp\n[0]\n')
      expect(run(IS_THEIRS, 'mine')).toBe('1\n[0]\n')
    })
  })
})
