// As docker.test.ts, with Podman: conmon starts the runtime, and no daemon is between.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacking, makeFolder, makeTar, OURS, podmanFiles, remove, said } from './engines.ts'

const RUN = 'podman --runtime $R run --network none --rm'
const RUN_CC = 'podman --runtime $R run --network none -d --name cc'

const SCRIPTS: [name: string, script: string, says: RegExp][] = [
  ['runs a program', `${RUN} bb sh -c 'echo hi; exit 42'`, /^hi\n\[42\]/],
  ['has no such program', `${RUN} bb nosuch`, /executable file not found in \$PATH.*\[127\]/s],
  ['may not execute a file', `${RUN} bb /etc/passwd`, /permission denied.*\[126\]/s],
  ['-u', `${RUN} -u u bb sh -c 'id; pwd; echo x >/dev/stdout'`, /uid=1000\(u\).*x\n/s],
  [
    '--read-only',
    `${RUN} --read-only bb sh -c 'exec 2>&1; touch /tmp/x && ls /tmp; touch /x'`,
    /^x\n.*Read-only/s,
  ],
  [
    '--tmpfs, with what the image has there',
    `${RUN} --tmpfs /etc bb sh -c 'exec 2>&1; stat -c "%n %a %u %F" /etc/*; cat /etc/passwd; touch /etc/new'`,
    /group.*passwd/s,
  ],
  ['-v', `${RUN} -v $V:/v:ro bb sh -c 'exec 2>&1; cat /v/f; touch /v/x'`, /^data\n.*Read-only/s],
  ['--cap-drop', `${RUN} --cap-drop ALL bb grep Cap /proc/self/status`, /CapEff:\t0+\n/],
  ['--hostname', `${RUN} --hostname foo bb hostname`, /^foo\n/],
  ['--device', `${RUN} --device /dev/fuse bb ls -l /dev/fuse`, /10, 229/],
  [
    'exec, pause, top, stop',
    `${RUN_CC} bb sh -c 'trap "echo term; exit 7" TERM; echo started; while :; do sleep 0.1; done'
     until podman logs cc | grep -q started; do sleep 0.1; done; podman exec cc echo in; podman exec cc sh -c 'exit 9'; echo $?
     podman exec cc nosuch; echo typed | podman exec -i cc cat; podman pause cc; podman inspect -f '{{.State.Status}}' cc
     podman unpause cc; podman top cc args | grep -c trap; podman stop cc; podman inspect -f '{{.State.Status}} {{.State.ExitCode}}' cc
     podman start cc; podman kill cc; podman wait cc; podman rm -f cc`,
    /in\n9\n.*typed\n.*paused\n.*1\ncc\nexited 7\ncc\ncc\n137\n/s,
  ],
  [
    'a pod: the containers join the namespaces of the first',
    `podman --runtime $R pod create --name pp --network none --infra-command /pause --infra-image bb --share net,ipc,uts
     podman --runtime $R run --pod pp --rm bb hostname; podman pod rm -f -t 0 pp`,
    /\npp\n/,
  ],
]

const lacks = lacking('podman', 'conmon', 'runc')
describe.skipIf(lacks)(`podman${lacks}`, () => {
  const folder = makeFolder()
  const env: NodeJS.ProcessEnv = { ...process.env, V: join(folder, 'volume') }
  beforeAll(() => {
    mkdirSync(join(folder, 'volume'))
    writeFileSync(join(folder, 'volume/f'), 'data\n')
    Object.assign(env, podmanFiles(folder, { 'minilab-oci': OURS }))
    execFileSync('podman', ['import', makeTar(folder), 'bb'], { env, stdio: 'ignore' })
  })
  afterAll(() => remove(folder))

  test.each(SCRIPTS)('%s', (_, script, says) => {
    const theirs = said(script, 'runc', env).replaceAll('Error: runc: ', 'Error: ')
    const ours = said(script, 'minilab-oci', env).replaceAll('Error: minilab-oci: ', 'Error: ')
    expect(ours).toMatch(says)
    expect(ours).toBe(theirs)
  })
})
