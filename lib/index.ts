/**
 * What a learner's file imports by `import { … } from 'minilab'`: the kernel's constants, the types of a part and of what it
 * is handed, and the few helpers that are no lesson by themselves.
 */
export * from './kernel/syscalls/constants.ts'
export type { Cgroup } from './kernel/cgroup/cgroup.ts'
export type { Exit } from './kernel/process/child.ts'
export type { Container, Part } from './container/part.ts'
export type { Spec } from './container/spec.ts'
export type { Gate } from './kernel/tape/gate.ts'
export { capabilityMask, capData, capHeader } from './kernel/process/capabilities.ts'
export { compileSeccomp } from './container/seccomp/seccomp.ts'
export { Later, Tape } from './kernel/tape/tape.ts'
export { type Cable, withCable } from './labs/cable.ts'
export { makeFolder, planCgroup } from './labs/for-learners.ts'
export { until } from './common/until.ts'
export { readXattrs } from './image/xattr.ts'
export { openRtnetlink, openRtnetlinkIn, writeControl } from './labs/host-calls.ts'
