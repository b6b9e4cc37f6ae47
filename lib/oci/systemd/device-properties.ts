import type { DeviceRule } from '../../container/spec.ts'
import type { Property } from './properties.ts'

const isAny = (number: number | undefined) => number === undefined || number < 0
const KINDS: Record<string, string> = { b: 'block', c: 'char' }

/**
 * The rules for devices, as DevicePolicy= and DeviceAllow= of systemd.resource-control(5). Without them systemd would on v1 allow all
 * devices when it writes its own view of the unit again. The cgroup's rules, which we write after it, decide: what systemd cannot say is
 * here allowed, not forbidden, since on v2 a device is allowed only if its rules and ours agree.
 */
export function devicePolicy(rules: readonly DeviceRule[]): Property[] {
  const allowed = new Map<string, Set<string>>()
  let isOpen = true // as a new cgroup is
  for (const { allow, type = 'a', major, minor, access = 'rwm' } of rules) {
    if (type === 'a' && isAny(major) && isAny(minor)) {
      isOpen = allow
      allowed.clear()
      continue
    }
    for (const kind of type === 'a' ? ['b', 'c'] : [type]) {
      const path = pathOf(kind, major, minor)
      const letters = allowed.get(path) ?? new Set()
      if (allow) allowed.set(path, new Set([...letters, ...access.split('')]))
      else if (!isAny(major)) for (const letter of access) letters.delete(letter)
    }
  }
  const list = [...allowed].filter(([, letters]) => letters.size)
  const words = isOpen ? [] : list.flatMap(([path, letters]) => [path, [...letters].join('')])
  return [
    ['DevicePolicy', 's', isOpen ? 'auto' : 'strict'],
    ['DeviceAllow', 'a(ss)', String(words.length / 2), ...words],
  ]
}

/** systemd has no form for "any major, this minor": then any device of the kind. */
function pathOf(type: string, major: number | undefined, minor: number | undefined): string {
  const kind = KINDS[type] ?? 'char'
  if (isAny(major)) return `${kind}-*`
  return isAny(minor) ? `${kind}-${major}` : `/dev/${kind}/${major}:${minor}`
}
