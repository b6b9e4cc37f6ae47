import { join } from 'node:path'

/** Lab 7's extra: what to write and to type so that Docker and Podman run the learner's container. */
export function letEngines(folder: string): string[] {
  const runtime = join(folder, 'minilab-oci')
  return [
    `{ "runtimes": { "mine": { "path": "${runtime}" } } }`,
    'docker run --runtime mine --rm busybox echo hi',
    `sudo podman --runtime ${runtime} \\`,
    '  --cgroup-manager cgroupfs run --rm busybox echo hi',
  ]
}
