// As docker.test.ts, with containerd alone and its client ctr: no dockerd is between them and us.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Daemon,
  lacking,
  makeFolder,
  makeTar,
  OURS,
  remove,
  removeNamespaceCgroups,
  said,
  saveImage,
  startContainerd,
} from './engines.ts'

const IMAGE = 'docker.io/library/bb:latest'
const RUN = 'ctr run --runc-binary $R'

const SCRIPTS: [name: string, script: string, says: RegExp][] = [
  ['runs a program', `${RUN} --rm ${IMAGE} c sh -c 'id; exit 4'`, /uid=0.*\[4\]/s],
  ['has no such program', `${RUN} --rm ${IMAGE} c nosuch`, /executable file not found in \$PATH/],
  [
    '--read-only, --mount',
    `${RUN} --rm --read-only --mount type=bind,src=$V,dst=/v,options=rbind:ro ${IMAGE} c sh -c 'exec 2>&1; cat /v/f; touch /v/x; touch /y'`,
    /data\n.*\/v\/x: Read-only.*\/y: Read-only/s,
  ],
  [
    '-t',
    `script -qec '${RUN} --rm -t ${IMAGE} c sh -c "tty; exit 5"' /dev/null </dev/null`,
    /\/dev\/pts\/0.*\[5\]/s,
  ],
  [
    'task exec, pause, resume, metrics, kill',
    `${RUN} -d --memory-limit 33554432 ${IMAGE} c sleep 100; list() { ctr task ls | sed 's/  */ /g; s/ [0-9][0-9]* / PID /'; }; list
     ctr task exec --exec-id e c sh -c 'echo in; exit 3'; echo $?; ctr task pause c; list; ctr task resume c; list
     ctr task metrics --format json c | grep -E '"(current|limit)": (1|33554432),?$' | head -2; ctr task kill -s KILL c
     until list | grep -q STOPPED; do sleep 0.1; done; ctr task rm c 2>&1 | sed 's/.*level/level/'; ctr container rm c`,
    /RUNNING\nin\n3\n.*PAUSED\n.*RUNNING\n.*33554432.*exit code 137/s,
  ],
]

const lacks = lacking('containerd', 'ctr', 'runc', 'script')
describe.skipIf(lacks)(`containerd${lacks}`, () => {
  const folder = makeFolder()
  let containerd: Daemon
  beforeAll(async () => {
    mkdirSync(join(folder, 'volume'))
    writeFileSync(join(folder, 'volume/f'), 'data\n')
    containerd = await startContainerd(folder, [
      saveImage(folder, 'bb', makeTar(folder), { Env: ['PATH=/bin'] }),
    ])
    containerd.env.V = join(folder, 'volume')
  })
  afterAll(async () => {
    await containerd[Symbol.asyncDispose]()
    removeNamespaceCgroups()
    remove(folder)
  })

  test.each(SCRIPTS)('%s', (_, script, says) => {
    const theirs = said(script, 'runc', containerd.env)
    const ours = said(script, OURS, containerd.env)
    expect(ours).toMatch(says)
    expect(ours).toBe(theirs)
  })
})
