// A pod as Kubernetes' kubelet asks for one: containerd gets the same calls for runc and for minilab-oci.
import { execFileSync, spawnSync } from 'node:child_process'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { connect, type Pod, runPod } from './cri.ts'
import {
  type Daemon,
  lacking,
  makeFolder,
  makeTar,
  NAMESPACE,
  OURS,
  remove,
  removeNamespaceCgroups,
  saveImage,
  startContainerd,
} from './engines.ts'

const folder = makeFolder()
const SLEEP = ['sleep', '1000']
const MIB = 2 ** 20
/** One of the two exists, by the version of the cgroups. */
const LIMIT = 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null'

/** A name, what happens in a pod, and what that must give. */
const CASES: [name: string, script: (pod: Pod) => Promise<unknown>, gives: unknown][] = [
  [
    'the output and the exit code of a command',
    async pod => pod.exec(await pod.start('exec', { command: SLEEP }), 'echo out; echo err >&2; exit 3'),
    { stdout: 'out\n', stderr: 'err\n', exit_code: 3 },
  ],
  [
    'a command that takes too long, as that of a probe',
    async pod => pod.exec(await pod.start('probe', { command: SLEEP }), 'sleep 1000', 1).catch(said),
    expect.stringMatching(/DEADLINE_EXCEEDED.*timeout 1s exceeded/),
  ],
  [
    'command, arguments, environment, working directory; the log and the exit code',
    async pod => {
      const container = await pod.start('log', {
        command: ['sh', '-c'],
        args: ['echo $A; pwd; echo $0 >&2; exit 7', 'last'],
        working_dir: '/home/u',
        envs: [{ key: 'A', value: 'b c' }],
      })
      const status = await ended(pod, container)
      const lines = readFileSync(pod.log('log'), 'utf8').trim().split('\n')
      return { status, lines: lines.map(line => line.replace(/^\S+ /, '')).toSorted() }
    },
    {
      status: { state: 'CONTAINER_EXITED', exit_code: 7, reason: 'Error' },
      lines: ['stderr F last', 'stdout F /home/u', 'stdout F b c'],
    },
  ],
  [
    'a program that does not exist',
    pod => pod.start('nosuch', { command: ['nosuch'] }).catch(said),
    expect.stringContaining('exec: "nosuch": executable file not found in $PATH'),
  ],
  [
    'a mount, and one that is read-only',
    async pod => {
      const host_path = join(folder, 'volume')
      const mounts = [
        { container_path: '/w', host_path },
        { container_path: '/r', host_path, readonly: true },
      ]
      const container = await pod.start('mount', { command: SLEEP, mounts })
      return pod.exec(container, 'cat /w/f /r/f; touch /w/x && rm /w/x; touch /r/x')
    },
    { stdout: 'data\ndata\n', stderr: 'touch: /r/x: Read-only file system\n', exit_code: 1 },
  ],
  [
    'a memory limit of 64 MiB, and another while it runs',
    async pod => {
      const resources = { memory_limit_in_bytes: 64 * MIB, oom_score_adj: 985 }
      const container_id = await pod.start('limit', { command: SLEEP, resources })
      const before = await pod.exec(container_id, `${LIMIT}; cat /proc/self/oom_score_adj`)
      const linux = { memory_limit_in_bytes: 32 * MIB }
      await pod.call('UpdateContainerResources', { container_id, linux })
      const after = await pod.exec(container_id, LIMIT)
      return [before.stdout, after.stdout]
    },
    [`${64 * MIB}\n985\n`, `${32 * MIB}\n`],
  ],
  [
    'ended by the OOM killer',
    async pod => {
      const command = ['sh', '-c', 'a=x; while :; do a=$a$a; done']
      const container = await pod.start('oom', {
        command,
        resources: { memory_limit_in_bytes: 64 * MIB },
      })
      await ended(pod, container)
      // containerd is told of the end and of its reason by two events, and either may be first
      await expect.poll(async () => (await pod.status(container)).reason).toBe('OOMKilled')
      return ended(pod, container)
    },
    { state: 'CONTAINER_EXITED', exit_code: 137, reason: 'OOMKilled' },
  ],
  [
    'containers of one pod share process ids and /dev/shm',
    async pod => {
      const one = await pod.start('one', {
        command: ['sh', '-c', 'echo shared >/dev/shm/f; exec sleep 1234'],
      })
      const other = await pod.start('other', { command: SLEEP })
      await expect.poll(async () => (await pod.exec(other, 'cat /dev/shm/f')).stdout).toBe('shared\n')
      const { stdout } = await pod.exec(
        other,
        'tr "\\0" " " </proc/1/cmdline; echo; ps -o args; rm /dev/shm/f',
      )
      await pod.call('RemoveContainer', { container_id: one })
      return stdout.split('\n').filter(line => /busybox|1234/.test(line))
    },
    ['/busybox sleep 100000 ', '/busybox sleep 100000', 'sleep 1234'],
  ],
  [
    'what the strictest of the pod security standards asks for',
    async pod => {
      const security = {
        capabilities: { drop_capabilities: ['ALL'] },
        run_as_user: { value: 1000 },
        run_as_group: { value: 1000 },
        supplemental_groups: [7],
        readonly_rootfs: true,
        no_new_privs: true,
        masked_paths: ['/proc/meminfo'],
        readonly_paths: ['/proc/sys'],
        seccomp: { profile_type: 'RuntimeDefault' },
      }
      const container = await pod.start('restricted', { command: SLEEP, security })
      return pod.exec(
        container,
        `exec 2>&1; id; grep -E 'CapEff|NoNew|Seccomp:' /proc/self/status; touch /x; wc -c </proc/meminfo
         grep -o ' /proc/sys r.,' /proc/self/mountinfo`,
      )
    },
    {
      stdout: `uid=1000(u) gid=1000(u) groups=7,1000(u),2000(extra)
CapEff:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
touch: /x: Read-only file system
0
 /proc/sys ro,
`,
      stderr: '',
      exit_code: 0,
    },
  ],
  [
    'a container is asked to stop, and is killed after its time',
    async pod => {
      const trap = (action: string) => ({
        command: ['sh', '-c', `trap '${action}' TERM; : >/tmp/ready; while :; do sleep 0.1; done`],
      })
      const statuses = []
      for (const [action, timeout] of [
        ['exit 9', 100],
        ['', 1],
      ] as const) {
        const container_id = await pod.start(`stop ${timeout}`, trap(action))
        await expect.poll(async () => (await pod.exec(container_id, 'test -e /tmp/ready')).exit_code).toBe(0)
        await pod.call('StopContainer', { container_id, timeout })
        statuses.push(await pod.status(container_id))
      }
      return statuses.map(({ exit_code }) => exit_code)
    },
    [9, 137],
  ],
]

const lacks = lacking('containerd', 'ctr', 'runc')
describe.skipIf(lacks)(`containerd's CRI${lacks}`, () => {
  let containerd: Daemon
  let client: ReturnType<typeof connect>
  let pods: Record<'runc' | 'minilab', Pod>
  beforeAll(async () => {
    mkdirSync(join(folder, 'volume'))
    writeFileSync(join(folder, 'volume/f'), 'data\n')
    const images = [
      saveImage(folder, 'bb', makeTar(folder), { Env: ['PATH=/bin'] }),
      saveImage(folder, 'pause', pauseTar(), { Entrypoint: ['/busybox', 'sleep', '100000'] }),
    ]
    containerd = await startContainerd(folder, images, plugins(), 'k8s.io')
    client = connect(join(folder, 'containerd/sock'))
    const { call } = client
    // it is up before its CRI is, which then hears of the images
    for (const image of ['bb', 'pause'])
      await vi.waitFor(
        async () =>
          expect(
            (await call('ImageStatus', { image: { image: `docker.io/library/${image}:latest` } })).image,
          ).not.toBeNull(),
        60_000,
      )
    pods = {
      runc: await runPod(call, 'runc', folder, NAMESPACE),
      minilab: await runPod(call, 'minilab', folder, NAMESPACE),
    }
  })
  afterAll(async () => {
    if (client) {
      for (const { id } of (await client.call('ListPodSandbox')).items) {
        await client.call('StopPodSandbox', { pod_sandbox_id: id })
        await client.call('RemovePodSandbox', { pod_sandbox_id: id })
      }
      client[Symbol.dispose]()
    }
    await containerd?.[Symbol.asyncDispose]()
    removeNamespaceCgroups()
    remove(folder)
  })

  test.each(CASES)('%s', async (_, script, gives) => {
    const theirs = await script(pods.runc)
    const ours = await script(pods.minilab)
    expect(ours).toEqual(gives)
    expect(ours).toEqual(theirs)
  })

  test('removes the pod and its containers, and leaves nothing', async () => {
    const left = () => ({
      cgroups: globSync(`/sys/fs/cgroup/{,*/}${NAMESPACE}/*/`),
      mounts: readFileSync(`/proc/${containerd.pid}/mountinfo`, 'utf8').match(/\S+k8s\.io\S+/g),
      shims: spawnSync('pgrep', ['-f', `containerd-shim.* ${folder}`], { encoding: 'utf8' }).stdout,
      states: globSync(`${folder}/containerd/{runc,minilab}/k8s.io/*`),
    })
    expect(left()).not.toEqual({ cgroups: [], mounts: null, shims: '', states: [] })
    for (const [handler, pod] of Object.entries(pods))
      expect(await pod.remove()).toEqual({ state: 'SANDBOX_NOTREADY', runtime_handler: handler })
    expect(await client.call('ListContainers')).toEqual({ containers: [] })
    expect(await client.call('ListPodSandbox')).toEqual({ items: [] })
    await expect.poll(left).toEqual({ cgroups: [], mounts: null, shims: '', states: [] })
  })
})

/** The image of the process that holds a pod's namespaces has one file, as Kubernetes' own. */
function pauseTar(): string {
  const tar = join(folder, 'busybox.tar')
  execFileSync('tar', ['-C', '/bin', '-cf', tar, 'busybox'])
  return tar
}

/**
 * containerd's configuration: a handler for each runtime, and every path in our folder. restrict_oom_score_adj, because the -998 that
 * it else asks for needs CAP_SYS_RESOURCE, which a machine that is itself a container may lack.
 */
function plugins(): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"'
  const at = (name: string) => join(folder, 'containerd', name)
  const handler = (name: string, program: string) => `
[${cri}.containerd.runtimes.${name}]
  runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.${name}.options]
  BinaryName = "${program}"
  Root = "${at(name)}"
`
  return `
[${cri}]
  sandbox_image = "docker.io/library/pause:latest"
  disable_apparmor = true
  restrict_oom_score_adj = true
[${cri}.cni]
  conf_dir = "${at('cni')}"
${handler('runc', 'runc')}${handler('minilab', OURS)}`
}

/** The status of a container when it has ended. */
async function ended(pod: Pod, container: string) {
  await expect.poll(async () => (await pod.status(container)).state).toBe('CONTAINER_EXITED')
  return pod.status(container)
}

/** An error's message, without what differs: which of the two says it, and the ids. */
const said = (error: Error) =>
  error.message.replace('runc create failed: ', '').replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
