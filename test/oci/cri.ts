// A client of the Container Runtime Interface (CRI): it asks containerd for what Kubernetes' kubelet asks for, over gRPC.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Client, credentials, type ServiceDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { certain } from '../../lib/common/certain.ts'

const definitions = loadSync(join(import.meta.dirname, 'cri.proto'), {
  keepCase: true, // as in the documentation
  longs: Number,
  enums: String,
  defaults: true, // a field that is 0 or empty is not sent
})
const methods = {
  ...(definitions['runtime.v1.ImageService'] as ServiceDefinition),
  ...(definitions['runtime.v1.RuntimeService'] as ServiceDefinition),
}

/** What the calls answer, of those that answer more than `{}`. */
interface Answers {
  ImageStatus: { image: object | null }
  RunPodSandbox: { pod_sandbox_id: string }
  PodSandboxStatus: { status: { state: string; runtime_handler: string } }
  ListPodSandbox: { items: { id: string }[] }
  CreateContainer: { container_id: string }
  ContainerStatus: { status: { state: string; exit_code: number; reason: string } }
  ListContainers: { containers: { id: string }[] }
  ExecSync: { stdout: Buffer; stderr: Buffer; exit_code: number }
}

/** Calls a method, and waits for its answer. */
export type Call = <Name extends string>(
  name: Name,
  request?: object,
) => Promise<Name extends keyof Answers ? Answers[Name] : object>

/** A connection to containerd's socket. */
export function connect(socket: string): Disposable & { call: Call } {
  const client = new Client(`unix://${socket}`, credentials.createInsecure())
  const call = (name: string, request = {}) =>
    new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = certain(methods[name])
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) =>
        error ? reject(error) : resolve(answer),
      )
    })
  return { call: call as Call, [Symbol.dispose]: () => client.close() }
}

/** No network plugin is needed for the network of the node. The containers see each other's processes, and share /dev/shm. */
const namespace_options = { network: 'NODE', pid: 'POD', ipc: 'POD' }

/** A container of a test, as far as it differs from others. */
interface Container {
  command: string[]
  args?: string[]
  working_dir?: string
  envs?: { key: string; value: string }[]
  mounts?: { container_path: string; host_path: string; readonly?: boolean }[]
  resources?: Record<string, number>
  security?: object
}

/** A pod that runs. */
export type Pod = Awaited<ReturnType<typeof runPod>>

/** Runs a pod by one of containerd's runtime handlers. Its logs are in `folder`, its cgroups below `cgroup`. */
export async function runPod(call: Call, handler: string, folder: string, cgroup: string) {
  const log_directory = join(folder, 'logs', handler)
  mkdirSync(log_directory, { recursive: true })
  const config = {
    metadata: { name: handler, uid: handler, namespace: 'default' },
    log_directory,
    linux: { cgroup_parent: `/${cgroup}`, security_context: { namespace_options } },
  }
  const request = { config, runtime_handler: handler }
  const { pod_sandbox_id } = await call('RunPodSandbox', request)
  const status = async (container_id: string) => (await call('ContainerStatus', { container_id })).status

  return {
    call,
    log: (name: string) => join(log_directory, name),
    status,

    /** Creates a container of the image `bb`, and starts it. */
    async start(name: string, { resources = {}, security = {}, ...rest }: Container) {
      const container = {
        metadata: { name },
        image: { image: 'docker.io/library/bb:latest' },
        log_path: name,
        linux: { resources, security_context: { namespace_options, ...security } },
        ...rest,
      }
      const { container_id } = await call('CreateContainer', {
        pod_sandbox_id,
        config: container,
        sandbox_config: config,
      })
      await call('StartContainer', { container_id })
      return container_id
    },

    /** Runs a script of the shell in a container. */
    async exec(container_id: string, script: string, timeout = 0) {
      const cmd = ['sh', '-c', script]
      const { stdout, stderr, exit_code } = await call('ExecSync', { container_id, cmd, timeout })
      return { stdout: stdout.toString(), stderr: stderr.toString(), exit_code }
    },

    /** Stops the pod and removes it, and returns its state between the two. */
    async remove() {
      await call('StopPodSandbox', { pod_sandbox_id })
      const { status: stopped } = await call('PodSandboxStatus', { pod_sandbox_id })
      await call('RemovePodSandbox', { pod_sandbox_id })
      return stopped
    },
  }
}
