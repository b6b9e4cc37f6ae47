// Each script is run by a real dockerd with runc, then with ours: both say the same. Stdout and stderr come by two ways: what writes to
// both makes one of them.
import { mkdirSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Daemon, lacking, makeFolder, remove, said } from './engines.ts'
import { DOCKERS_CGROUP, PUBLISHED, startDocker } from './docker.ts'

const RUN = 'docker run --runtime $R --network none --rm'
/** In a terminal of its own. */
const tty = (command: string) => `script -qec '${command}' /dev/null </dev/null`
/** Sorted, as the two make the mounts in another order, and for each what is compared. */
const MOUNTS = `cut -d" " -f 5,6 /proc/self/mountinfo | grep -vE "^/(sys/fs/cgroup|proc/|sys/firmware)" | sort`

/** A name, a script, and what it must say, so that two equal failures do not count. */
const SCRIPTS: [name: string, script: string, says: RegExp][] = [
  ['runs a program', `${RUN} bb echo hi`, /^hi\n\[0\]/],
  ['passes on the exit status', `${RUN} bb sh -c 'exit 42'`, /\[42\]/],
  ['has no such program', `${RUN} bb nosuch`, /executable file not found in \$PATH.*\[127\]/s],
  ['has no such path', `${RUN} bb /nosuch`, /no such file or directory.*\[127\]/s],
  ['may not execute a file', `${RUN} bb /etc/passwd`, /permission denied.*\[126\]/s],
  ['may not execute a folder', `${RUN} bb /etc`, /\[126\]/],
  ['sets the environment', `${RUN} -e A=b bb env | grep -v HOSTNAME`, /A=b\nHOME=\/root\n/],
  ['reads stdin', `echo typed | ${RUN} -i bb cat`, /^typed\n/],
  [
    '-u, by name',
    `${RUN} -u u bb sh -c 'id; echo $HOME; ls -ld /dev/stdout; echo x >/dev/stdout'`,
    /uid=1000\(u\).*x\n/s,
  ],
  [
    '-u, by number, -w',
    `${RUN} -u 1234:55 -w /new/dir bb sh -c 'id; pwd; ls -ld /new/dir; ls -l /dev/null'`,
    /uid=1234/,
  ],
  ['--group-add', `${RUN} --group-add 7 bb id`, /groups=0\(root\),7/],
  ['--read-only', `${RUN} --read-only bb touch /x`, /Read-only file system/],
  [
    '--tmpfs',
    `${RUN} --read-only --tmpfs /t:size=1m,mode=700 bb sh -c 'exec 2>&1; touch /t/x && ls -ld /t; touch /y'`,
    /drwx------/,
  ],
  ['-v', `${RUN} -v $V:/v bb cat /v/f`, /^data\n/],
  [
    '-v, through a link',
    `${RUN} -v $V:/var/run/v:ro bb sh -c 'exec 2>&1; cat /run/v/f; touch /run/v/x'`,
    /data.*Read-only/s,
  ],
  ['-v, a file', `${RUN} -v $V/f:/etc/f bb cat /etc/f`, /^data\n/],
  ['--cap-drop', `${RUN} --cap-drop ALL bb grep Cap /proc/self/status`, /CapEff:\t0+\n/],
  ['--cap-add', `${RUN} --cap-add NET_ADMIN bb grep Cap /proc/self/status`, /CapEff:\t00000000a80435fb/],
  [
    'no-new-privileges',
    `${RUN} --security-opt no-new-privileges bb grep -E 'NoNew|Seccomp:' /proc/self/status`,
    /NoNewPrivs:\t1\nSeccomp:\t2/,
  ],
  [
    'seccomp=unconfined',
    `${RUN} --security-opt seccomp=unconfined bb grep Seccomp: /proc/self/status`,
    /Seccomp:\t0/,
  ],
  [
    'the default seccomp profile',
    `${RUN} --cap-add SYS_ADMIN bb unshare -U true; ${RUN} bb unshare -U true`,
    /Operation not permitted/,
  ],
  [
    'a seccomp profile',
    `${RUN} --security-opt seccomp=$V/profile.json bb sh -c 'exec 2>&1; mkdir /x; touch /x && ls -d /x'`,
    /mkdir: .*File name too long\n\/x\n/,
  ],
  ['--hostname', `${RUN} --hostname foo bb hostname`, /^foo\n/],
  ['--sysctl', `${RUN} --sysctl net.ipv4.ip_forward=1 bb cat /proc/sys/net/ipv4/ip_forward`, /^1\n/],
  ['--ulimit', `${RUN} --ulimit nofile=100:200 bb sh -c 'ulimit -n; ulimit -Hn'`, /^100\n200\n/],
  ['--oom-score-adj', `${RUN} --oom-score-adj 500 bb cat /proc/self/oom_score_adj`, /^500\n/],
  ['--shm-size', `${RUN} --shm-size 1m bb df -k /dev/shm`, /1024/],
  ['--init', `${RUN} --init bb ps -o comm,args | sed 1d | sort | head -1`, /docker-init/],
  ['--device', `${RUN} --device /dev/fuse:/dev/some/where bb ls -l /dev/some/where`, /10, 229/],
  [
    'a node of another device',
    `${RUN} bb sh -c 'exec 2>&1; mknod /n c 1 3; mknod /m c 1 1; cat /n; cat /m'`,
    /Operation not permitted/,
  ],
  [
    '/dev',
    `${RUN} bb sh -c 'stat -c "%n %a %u:%g %t,%T %F" /dev/* | grep -v console; ls -l /dev | grep -- "->" | sed "s/.*[0-9] //"'`,
    /\/dev\/null 666 0:0 1,3/,
  ],
  ['mounts', `${RUN} bb sh -c '${MOUNTS}'`, /\/dev\/pts/],
  ['limits of the process', `${RUN} bb cat /proc/self/limits`, /Max open files/],
  [
    'its descriptors',
    `${RUN} bb sh -c 'for fd in 0 1 2 3; do readlink /proc/self/fd/$fd; done'`,
    /null\npipe/,
  ],
  [
    'namespaces of the host',
    `${RUN} --ipc host --uts host --pid host bb sh -c 'hostname; echo $(($(ls -d /proc/[0-9]* 2>/dev/null | wc -l) > 5))'`,
    /\n1\n/,
  ],
  ['-t', tty(`${RUN} -it bb sh -c "tty; id -u; exit 5"`), /\/dev\/pts\/0.*\[5\]/s],
  ['-t -u', tty(`${RUN} -it -u 1000 bb sh -c "tty; echo ok >/dev/tty"`), /ok.*\[0\]/s],
  [
    'exec',
    `docker run --runtime $R --network none -d --name cc bb sleep 100; docker exec cc echo in; docker exec cc sh -c 'exit 9'; echo $?
     docker exec cc nosuch; docker exec -u u -w /tmp -e A=b cc sh -c 'id; pwd; echo $A $HOME'; echo typed | docker exec -i cc cat
     docker exec -d cc sh -c 'echo made >/tmp/made'; docker exec cc sh -c 'until [ -s /tmp/made ]; do sleep 0.1; done; cat /tmp/made'
     ${tty('docker exec -it cc sh -c "tty; exit 6"')}; echo $?; docker top cc -o pid,args | tail -1 | sed "s/^[0-9]*  *//"; docker rm -f cc`,
    /^ID\nin\n9\n.*not found.*uid=1000\(u\).*\/tmp\nb \/home\/u\ntyped\nmade\n.*\/dev\/pts\/0.*6\n/s,
  ],
  [
    'pause, unpause, update',
    `docker run --runtime $R --network none -d --name cc bb sleep 100; docker pause cc; docker inspect -f '{{.State.Status}}' cc
     docker exec cc true; docker unpause cc; docker exec cc echo again; docker update --memory 64m --memory-swap 64m cc
     docker exec cc sh -c 'cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes 2>/dev/null'; docker rm -f cc`,
    /paused\n.*again\ncc\n67108864\ncc\n/s,
  ],
  [
    'kill a paused container',
    `docker run --runtime $R --network none -d --name cc bb sleep 100; docker pause cc; docker kill cc; docker wait cc
     docker inspect -f '{{.State.Status}}' cc; docker rm cc`,
    /^ID\ncc\ncc\n137\nexited\ncc\n/,
  ],
  [
    'kill -s',
    `docker run --runtime $R --network none -d --name cc bb sh -c 'trap "echo got; exit 3" USR1; echo started; while :; do sleep 0.1; done'
     until docker logs cc | grep -q started; do sleep 0.1; done; docker kill -s USR1 cc; docker wait cc; docker logs cc; docker rm cc`,
    /^ID\ncc\n3\nstarted\ngot\ncc\n/,
  ],
  [
    'top',
    `docker run --runtime $R --network none -d --name cc bb sh -c 'sleep 100 & exec sleep 101'
     until [ $(docker top cc | grep -c sleep) = 2 ]; do sleep 0.1; done; docker top cc -o pid,uid,args | sed 's/^[0-9]* *//'; docker rm -f cc`,
    /COMMAND\n0 +sleep 10[01]\n0 +sleep 10[01]\n/,
  ],
  [
    'a health check',
    `health() { until [ "$(docker inspect -f '{{.State.Health.Status}}' cc)" = $1 ]; do sleep 0.1; done; echo $1; }
     docker run --runtime $R --network none -d --name cc --health-cmd 'cat /ok' --health-interval 100ms --health-retries 1 bb sh -c 'echo good >/ok; sleep 100'
     health healthy; docker inspect -f '{{(index .State.Health.Log 0).Output}}' cc
     docker exec cc rm /ok; health unhealthy; docker rm -f cc`,
    /^ID\nhealthy\ngood\n\nunhealthy\ncc\n/,
  ],
  [
    '--restart',
    `docker run --runtime $R --network none -d --name cc --restart on-failure:2 bb sh -c 'echo >>/n; wc -l </n; exit 5'
     until [ $(docker inspect -f '{{.RestartCount}}{{.State.Status}}' cc) = 2exited ]; do sleep 0.1; done; docker logs cc; docker rm cc`,
    /1\n2\n3\ncc\n/,
  ],
  ['-p', PUBLISHED, /^80\/tcp -> 127.0.0.1\ndata\neth0\nlo\n/],
  [
    'logs, stop, restart, kill, start',
    `docker run --runtime $R --network none -d --name cc bb sh -c 'trap "echo term; exit 7" TERM; echo started; while :; do sleep 0.1; done'
     until docker logs cc | grep -q started; do sleep 0.1; done
     state() { docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' cc; }
     docker stop cc; state; docker logs cc; docker restart cc; state; docker kill cc; docker wait cc; state; docker start cc; state; docker rm -f cc`,
    /exited 7\nstarted\nterm\n.*exited 137\n.*running 0\n/s,
  ],
  [
    'joins namespaces of another container',
    `docker run --runtime $R --network none -d --name cc --ipc shareable bb sleep 100
     docker run --runtime $R --network none --rm --pid container:cc --ipc container:cc bb ps -o args
     docker run --runtime $R --network container:cc --rm bb ls /sys/class/net; docker rm -f cc`,
    /sleep 100\nps -o args\n.*lo\n/s,
  ],
  [
    '--memory: ended by the OOM killer',
    `docker run --runtime $R --network none --name cc --memory 16m bb sh -c 'a=x; while :; do a=$a$a; done'
     docker inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' cc; docker rm cc`,
    /true 137\n/,
  ],
  [
    // a build has no --runtime, it uses the default one. BuildKit would use runc in any case: it is told the name of a program
    'build with RUN',
    `sed -i 's/"default-runtime":"[a-z]*"/"default-runtime":"'$R'"/' $CONFIG; kill -HUP $DOCKERD
     until [ $(docker info -f '{{.DefaultRuntime}}') = $R ]; do sleep 0.1; done
     printf 'FROM bb\\nRUN echo built >/built\\nCMD cat /built\\n' | DOCKER_BUILDKIT=0 docker build --network none -q -t built - >/dev/null
     docker run --runtime $R --network none --rm built`,
    /built\n/,
  ],
]

/** A profile for --security-opt: mkdir fails with an error that no default profile gives. */
const NO_MKDIR = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [
    { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: constants.errno.ENAMETOOLONG },
  ],
}

const lacks = lacking('dockerd', 'docker', 'docker-proxy', 'iptables', 'runc', 'script')
describe.skipIf(lacks)(`dockerd${lacks}`, () => {
  const folder = makeFolder()
  let docker: Daemon
  beforeAll(async () => {
    mkdirSync(join(folder, 'volume'))
    writeFileSync(join(folder, 'volume/f'), 'data\n')
    writeFileSync(join(folder, 'volume/profile.json'), JSON.stringify(NO_MKDIR))
    docker = await startDocker(folder)
    docker.env.V = join(folder, 'volume')
  })
  afterAll(async () => {
    await docker[Symbol.asyncDispose]()
    remove(folder)
  })

  test.each(SCRIPTS)('%s', (_, script, says) => {
    const theirs = said(script, 'runc', docker.env)
    const ours = said(script, 'ours', docker.env)
    expect(ours).toMatch(says)
    expect(ours).toBe(theirs)
  })

  // Which files there are depends on the machine's cgroups; these two only on ours
  test.each([
    [
      '--cpus, --cpu-shares',
      '--cpus 0.5 --cpu-shares 512',
      'cat cpu.max cpu.weight cpu/cpu.cfs_quota_us cpu/cpu.shares',
    ],
    ['--pids-limit', '--pids-limit 5', 'cat pids.max pids/pids.max'],
    ['--memory', '--memory 32m', 'cat memory.max memory/memory.limit_in_bytes'],
    ['--cpuset-cpus', '--cpuset-cpus 0', 'cat cpuset.cpus cpuset/cpuset.cpus'],
    ['devices', '--device /dev/fuse', 'sort devices/devices.list'],
  ])('%s, as the container sees it', (_, flags, command) => {
    const script = `${RUN} ${flags} bb sh -c 'cd /sys/fs/cgroup; ${command} 2>/dev/null'`
    expect(said(script, 'ours', docker.env)).toBe(said(script, 'runc', docker.env))
  })

  test('20 at once', () => {
    const script = `for i in $(seq 20); do ${RUN} bb echo $i & done; wait; docker ps -aq`
    const lines = said(script, 'ours', docker.env).trim().split('\n').toSorted()
    expect(lines).toEqual([...Array.from({ length: 20 }, (_, index) => `${index + 1}`), '[0]'].toSorted())
  })

  test('leaves nothing', () => {
    const states = join(folder, 'docker/exec/runtime-runc/moby') // dockerd 20.10 gives all runtimes this --root
    const look = `docker ps -aq; find /sys/fs/cgroup -type d -path "*/${DOCKERS_CGROUP}/?*"; ls -A ${states}`
    expect(said(look, 'ours', docker.env)).toBe('[0]\n')
  })
})
