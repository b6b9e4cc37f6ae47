import type { Container, Part } from '../../container/part.ts'
import type { ResourcesSpec, Spec } from '../../container/spec.ts'

/** The part, whose hooks see another spec; what it puts into the container is there for all. */
export function seeing(view: (spec: Spec) => Spec, part: Part): Part {
  const through = (container: Container) =>
    new Proxy(container, {
      get: (target, key) => (key === 'spec' ? view(target.spec) : (Reflect.get(target, key) as unknown)),
    })
  const { name, flags, prepare, attach, inside } = part
  return {
    name,
    ...(flags && { flags: spec => flags.call(part, view(spec)) }),
    ...(prepare && { prepare: container => prepare.call(part, through(container)) }),
    ...(attach && { attach: (container, pid) => attach.call(part, through(container), pid) }),
    ...(inside && { inside: (tape, container, gate) => inside.call(part, tape, through(container), gate) }),
  }
}

/**
 * What the labs teach of a spec. The namespaces that are only joined are left out: the learner's part would make a new one of each. And a
 * filter without no_new_privs, which lab 7 leaves to its challenge: the kernel takes it only while the process has CAP_SYS_ADMIN.
 */
export function taught(spec: Spec): Spec {
  const { linux, process } = spec
  const { seccomp, resources = {}, ...others } = linux
  return {
    ...spec,
    linux: {
      ...others,
      ...(seccomp && process.noNewPrivileges && { seccomp }),
      namespaces: linux.namespaces.filter(({ path }) => !path),
      resources: taughtLimits(resources),
    },
  }
}

const isLimit = (value: number | undefined): value is number => value !== undefined && value > 0

/** The limits of lab 4; a number that means "no limit" is not among them. */
function taughtLimits({ memory = {}, cpu = {}, pids = {} }: ResourcesSpec): ResourcesSpec {
  const { limit, swap } = memory
  const { quota, period } = cpu
  return {
    memory: { ...(isLimit(limit) && { limit }), ...(isLimit(limit) && isLimit(swap) && { swap }) },
    cpu: isLimit(quota) ? { quota, ...(isLimit(period) && { period }) } : {},
    pids: isLimit(pids.limit) ? { limit: pids.limit } : {},
  }
}

/** The spec with all other limits. */
export function withOtherLimits(spec: Spec): Spec {
  const { resources = {} } = spec.linux
  const done = taughtLimits(resources)
  const other = (name: 'memory' | 'cpu' | 'pids') =>
    Object.fromEntries(Object.entries(resources[name] ?? {}).filter(([key]) => !(key in (done[name] ?? {}))))
  const others = { memory: other('memory'), cpu: other('cpu'), pids: other('pids') }
  return { ...spec, linux: { ...spec.linux, resources: { ...resources, ...others } } }
}
