import { writeSync } from 'node:fs'
import { capabilities } from '../../kernel/process/capabilities.ts'
import { OPTION_NAMES } from '../../container/rootfs/mount-options.ts'
import { ACTION_NAMES, OPERATORS } from '../../container/seccomp/seccomp-profile.ts'

/** opencontainers/runtime-spec, features.md */
export function run(): void {
  const features = {
    ociVersionMin: '1.0.0',
    ociVersionMax: '1.0.2',
    hooks: ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
    mountOptions: OPTION_NAMES.toSorted(),
    linux: {
      namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'time', 'user', 'uts'],
      capabilities: Object.keys(capabilities),
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: false, rdma: true },
      seccomp: {
        enabled: true,
        actions: ACTION_NAMES,
        operators: OPERATORS,
        archs: [process.arch === 'x64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64'],
      },
      apparmor: { enabled: false },
      selinux: { enabled: false },
      mountExtensions: { idmap: { enabled: true } },
    },
  }
  writeSync(1, `${JSON.stringify(features, null, 2)}\n`)
}
