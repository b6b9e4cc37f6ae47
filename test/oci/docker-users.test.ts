// As docker.test.ts, where the container's root is an ordinary user of the machine: --userns-remap, and a dockerd without root.
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lackingUser, USER } from './as-user.ts'
import { PUBLISHED, startDocker, startRootlessDocker } from './docker.ts'
import { type Daemon, lacking, makeFolder, remove, said } from './engines.ts'

type Script = [name: string, script: string, says: RegExp]

const RUN = 'docker run --runtime $R --network none --rm'
const RUN_CC = 'docker run --runtime $R --network none -d --name cc'

/** For both. */
const SCRIPTS: Script[] = [
  ['runs a program', `${RUN} bb sh -c 'id; exit 42'`, /^uid=0\(root\).*\[42\]/s],
  ['has no such program', `${RUN} bb nosuch`, /executable file not found in \$PATH.*\[127\]/s],
  ['-u, -w', `${RUN} -u u -w /tmp bb sh -c 'id; pwd; echo x >/dev/stdout'`, /uid=1000\(u\).*\/tmp\nx\n/s],
  ['--cap-drop', `${RUN} --cap-drop ALL bb grep Cap /proc/self/status`, /CapEff:\t0+\n/],
  [
    '-t',
    `script -qec '${RUN} -it bb sh -c "tty; stat -c %u:%g,%a /dev/pts/0; exit 5"' /dev/null </dev/null`,
    /\/dev\/pts\/0\r\n0:5,620\r\n\[5\]/,
  ],
  [
    '/dev', // the owner of mqueue is another: differences.ts
    `${RUN} bb sh -c 'stat -c "%n %a %u:%g %t,%T %F" /dev/* | grep -vE "console|mqueue"'`,
    /\/dev\/null 666 65534:65534 1,3/,
  ],
  [
    'owners in volumes: of the container, of the machine, and of a new one with what the image has there',
    `${RUN} -v $V:/v -v new:/etc bb sh -c 'exec 2>&1; stat -c "%n %u:%g" /v/* /etc /etc/passwd; touch /v/theirs/x; touch /v/ours/x && stat -c %u:%g /v/ours/x && rm /v/ours/x'
     docker volume rm new`,
    /ours 0:0\n\/v\/theirs 65534:65534\n\/etc 0:0\n\/etc\/passwd 0:0\n.*theirs\/x: Permission denied\n0:0\n/s,
  ],
  [
    'exec, logs, stop, rm',
    `${RUN_CC} bb sh -c 'trap "echo term; exit 7" TERM; echo started; while :; do sleep 0.1; done'
     until docker logs cc | grep -q started; do sleep 0.1; done; docker exec cc id -u; docker exec -u u cc id -u; docker exec cc sh -c 'exit 9'; echo $?
     docker exec cc cat /proc/self/uid_map; docker exec cc nosuch; echo typed | docker exec -i cc cat
     docker stop cc; docker logs cc; docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' cc; docker rm cc`,
    /^ID\n0\n1000\n9\n.*not found.*typed\ncc\nstarted\nterm\nexited 7\ncc\n/s,
  ],
  ['-p', PUBLISHED, /^80\/tcp -> 127.0.0.1\ndata\neth0\nlo\n/],
]

const lacks =
  lacking('dockerd', 'docker', 'docker-proxy', 'iptables', 'runc', 'script', 'rootlesskit', 'slirp4netns') ||
  lackingUser()

/** A volume with folders of the container's root, whose id on the machine is `uid`, and of the machine's. */
function makeVolume(folder: string, uid: number): string {
  const volume = join(folder, 'volume')
  for (const name of ['ours', 'theirs']) mkdirSync(join(volume, name), { recursive: true })
  writeFileSync(join(volume, 'f'), 'data\n')
  chownSync(join(volume, 'ours'), uid, uid)
  return volume
}

/** The first of the user's ids in /etc/subuid. */
const firstId = () => Number(execFileSync('sed', ['-n', `s/^${USER}:\\([0-9]*\\):.*/\\1/p`, '/etc/subuid']))
const idOf = (user: string) => Number(execFileSync('id', ['-u', user]))

describe.skipIf(lacks).each([
  [
    '--userns-remap',
    (folder: string) => startDocker(folder, { 'userns-remap': USER }),
    firstId,
    (first: number) => new RegExp(`^ +0 +${first} +65536\\n +0 +${first} +65536\\n\\[0\\]`),
  ],
  [
    'of an ordinary user',
    startRootlessDocker,
    () => idOf(USER),
    (first: number) =>
      new RegExp(`^ +0 +\\d+ +1\\n +1 +${first} +65536\\n +0 +\\d+ +1\\n +1 +${first} +65536\\n\\[0\\]`),
  ],
] as const)(`dockerd %s${lacks}`, (_, startIt, rootsId, map) => {
  const folder = makeFolder()
  let docker: Daemon
  beforeAll(async () => {
    chmodSync(folder, 0o755)
    docker = await startIt(folder)
    docker.env.V = makeVolume(folder, rootsId())
  })
  afterAll(async () => {
    await docker[Symbol.asyncDispose]()
    remove(folder)
  })

  test.each([
    ...SCRIPTS,
    ['maps of ids', `${RUN} bb cat /proc/self/uid_map /proc/self/gid_map`, map(firstId())] as const,
  ])('%s', (_, script, says) => {
    const theirs = said(script, 'runc', docker.env)
    const ours = said(script, 'ours', docker.env)
    expect(ours).toMatch(says)
    expect(ours).toBe(theirs)
  })

  test('leaves nothing', () => {
    const states = dirname(
      execFileSync('find', [folder, '-path', '*/runtime-runc/moby', '-print'], { encoding: 'utf8' }),
    )
    expect(said(`docker ps -aq; ls -A ${states}/moby`, 'ours', docker.env)).toBe('[0]\n')
  })
})
