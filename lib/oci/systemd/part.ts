import { existsSync, readFileSync } from 'node:fs'
import { MinilabError } from '../../common/errors.ts'
import type { Part } from '../../container/part.ts'
import {
  checkSwap,
  controllersFor,
  limits,
  noteIn,
  plannedCgroup,
  setLimits,
} from '../../container/parts/limits.ts'
import { hierarchies, hierarchyOf, pathIn } from '../../kernel/cgroup/cgroupfs.ts'
import { makeCgroup } from '../../kernel/cgroup/make-cgroup.ts'
import { isMachinesRoot } from '../../kernel/process/procfs.ts'
import type { Config } from '../config.ts'
import { note } from '../undo-log.ts'
import { devicePolicy } from './device-properties.ts'
import { needSystemd, startUnit, systemdsVersion } from './manager.ts'
import { propertiesFor, propertiesOf, type Property } from './properties.ts'
import { type Unit, unitOf } from './unit.ts'

/** The unit of a container that is about to be made. Throws if there can be none. */
function plannedUnit({ linux, annotations }: Config, id: string): Unit {
  needSystemd()
  if (!isMachinesRoot())
    throw new MinilabError(
      'usage',
      '--systemd-cgroup is not supported for an ordinary user',
      'let the engine use the cgroupfs driver, or run as root',
    )
  propertiesOf(annotations) // throws for what it cannot set
  return unitOf(linux.cgroupsPath, id)
}

/**
 * The limits, of a cgroup that systemd makes; `undo` is the container's undo log. A scope has a process from its start, so there is none
 * before the container has one. Throws if there can be no such unit.
 */
export function limitsInUnit(config: Config, id: string, undo: string): Part {
  const unit = plannedUnit(config, id)
  return {
    name: limits.name,

    prepare(container) {
      const resources = container.spec.linux.resources ?? {}
      checkSwap(resources)
      container.cgroup = plannedCgroup(unit.path, controllersFor(resources), { everywhere: true })
    },

    attach({ spec, ledger, cgroup }, pid) {
      if (!cgroup) return
      const resources = spec.linux.resources ?? {}
      const version = systemdsVersion()
      startUnit(unit.name, pid, [
        ...basic(unit, version),
        ...propertiesOf(config.annotations),
        ...devicePolicy(resources.devices ?? []),
        ...propertiesFor(resources, version),
      ])
      note(undo, { kind: 'unit', name: unit.name })
      checkPlace(unit, pid)
      for (const { path } of cgroup.folders)
        if (existsSync(path)) note(undo, { kind: 'cgroup', path, use: 'container' })
      // on v1 systemd does not make all of them: cpuset and freezer, for example
      makeCgroup(cgroup, controllersFor(resources), noteIn(ledger))
      cgroup.join(pid)
      setLimits(cgroup, resources)
    },
  }
}

const basic = ({ slice, container }: Unit, version: 1 | 2): Property[] => [
  ['Description', 's', `minilab-oci container ${container}`],
  ['Slice', 's', slice],
  ['Delegate', 'b', 'true'],
  ...['Memory', 'CPU', version === 1 ? 'BlockIO' : 'IO', 'Tasks'].map((name): Property => [
    `${name}Accounting`,
    'b',
    'true',
  ]),
  ['DefaultDependencies', 'b', 'false'],
]

/** The other hierarchies' directories, and later commands, go by the path that we expect. */
function checkPlace({ name, path }: Unit, pid: number): void {
  const found = hierarchies()
  const own = hierarchyOf('name=systemd', found) ?? found.find(({ version }) => version === 2)
  const place = own && pathIn(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), own)
  if (place === path) return
  throw new MinilabError(
    'machine',
    `systemd has put ${name} into ${place}, and not into ${path}`,
    'run where systemd manages the whole cgroup tree',
  )
}
