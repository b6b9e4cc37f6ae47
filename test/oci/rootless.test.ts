// Podman without root: minilab-oci is root of the user namespace that Podman has made, with no cgroup of its own on v1.
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { solve } from '../labs/support.ts'
import { asUser, lackingUser, USER } from './as-user.ts'
import { lacking, makeFolder, makeTar, podmanFiles, remove, said } from './engines.ts'

const SCRIPTS: [name: string, script: string, says: RegExp][] = [
  ['runs a program', 'RUN bb echo hi', /^hi\n\[0\]/],
  ['passes on the exit status', `RUN bb sh -c 'exit 42'`, /\[42\]/],
  ['has no such program', 'RUN bb nosuch', /executable file not found in \$PATH.*\[127\]/s],
  ['its ids', `RUN bb sh -c 'id; cat /proc/self/uid_map'`, /uid=0.*\n +0 +\d+ +1\n +1 +100000 +65536\n/s],
  [
    '-u, -w',
    `RUN -u u -w /tmp bb sh -c 'id; pwd; touch /tmp/x && ls -ln /tmp/x | cut -d" " -f1-8'`,
    /uid=1000\(u\).*\/tmp\n/s,
  ],
  [
    '-v, --read-only',
    `RUN --read-only -v $V:/v:ro bb sh -c 'exec 2>&1; cat /v/f; touch /v/x; touch /x'`,
    /data\n.*\/v\/x: Read-only.*\/x: Read-only/s,
  ],
  ['--cap-drop', 'RUN --cap-drop ALL bb grep Cap /proc/self/status', /CapEff:\t0+\n/],
  [
    'exec, stop, logs',
    `podman --runtime $R run --network none -d --name cc bb sh -c 'trap "echo term; exit 7" TERM; echo started; while :; do sleep 0.1; done'
     until podman logs cc | grep -q started; do sleep 0.1; done; podman exec cc echo in; podman exec cc sh -c 'exit 9'; echo $?
     podman stop cc; podman logs cc; podman inspect -f '{{.State.Status}} {{.State.ExitCode}}' cc; podman rm -f cc`,
    /in\n9\n.*term\n.*exited 7\n/s,
  ],
]

const lacks = lacking('podman', 'conmon', 'runc', 'newuidmap', 'setpriv') || lackingUser()
describe.skipIf(lacks)(`rootless podman${lacks}`, () => {
  const folder = makeFolder()
  const at = (name: string) => join(folder, name)
  const mine = at('mine')
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    HOME: at('home'),
    XDG_RUNTIME_DIR: at('xdg'),
    V: at('volume'),
  }

  const run = (script: string, runtime: string) =>
    said(
      'exec ' +
        asUser(folder, script.replaceAll('RUN', 'podman --runtime $R run --network none --rm'))
          .map(word => `'${word.replaceAll("'", `'\\''`)}'`)
          .join(' '),
      runtime,
      env,
    )
  const once = (script: string) => {
    const [command, ...args] = asUser(folder, script)
    execFileSync(command, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  }

  beforeAll(() => {
    for (const name of ['home', 'xdg', 'volume', 'minilab', 'mine']) mkdirSync(at(name))
    Object.assign(
      env,
      podmanFiles(folder, { 'minilab-oci': at('minilab/minilab-oci'), mine: join(mine, 'minilab-oci') }),
    )
    const tar = makeTar(folder)
    execFileSync('sh', ['-c', 'echo data >"$V/f"; chmod 755 .; chmod 700 xdg; chown -R "$0" .', USER], {
      cwd: folder,
      env,
    })
    once(
      `node_modules=$(echo minilab/node_modules/node-linux-*); $node_modules/bin/node minilab/bin.mjs init ${mine}`,
    )
    solve({ folder: mine })
    execFileSync('chown', ['-R', USER, mine])
    once(`podman import ${tar} bb`)
  })
  afterAll(() => {
    once('podman system migrate') // ends the process that keeps the user namespace
    remove(folder)
  })

  test.each(SCRIPTS)('%s', (_, script, says) => {
    const name = (text: string) => text.replaceAll(/Error: (runc|mine|minilab-oci): /g, 'Error: ')
    const theirs = name(run(script, 'runc'))
    expect(name(run(script, 'minilab-oci'))).toBe(theirs)
    expect(name(run(script, 'mine'))).toBe(theirs)
    expect(theirs).toMatch(says)
  })
})
