import { certain } from '../../lib/common/certain.ts'
import type { Measured } from '../../chapters/4-limits/experiments.ts'
import type { Container } from '../../lib/container/part.ts'
import { changePart } from '../../lib/guide/mutant.ts'
import type { Check, Step } from '../../lib/guide/step.ts'
import { hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { writeControl } from '../../lib/kernel/cgroup/control-file.ts'
import { demandRoom, explained } from './refused.ts'
import { join } from 'node:path'

/** The stage in which the container joins its cgroup. */
export const JOIN = 'A directory, some numbers, a pid'

/**
 * The step with a check of which processes joined which cgroup. Any process other than the child is moved back immediately, and
 * the check names it.
 */
export function watchJoining(step: Step<Measured>): Step<Measured> {
  const home = hierarchies()
  const others = new Set<number>()
  const below = new Set<string>()
  const sendHome = ({ cgroup }: Container, child: number) => {
    if (!cgroup) return
    for (const pid of cgroup.pids()) {
      if (pid === child) continue
      others.add(pid)
      for (const { hierarchy } of cgroup.folders) {
        const { own } = certain(home.find(({ mount }) => mount === hierarchy.mount))
        writeControl(join(own, 'cgroup.procs'), String(pid))
      }
    }
  }
  const telling = (check: Check<Measured>): Check<Measured> => ({
    ...check,
    async look(scene) {
      const found = await check.look(scene)
      const diagnosis = others.size > 0 ? wrongPid([...others], scene.pid) : found.diagnosis
      if (found.ok === false || others.has(process.pid))
        return { ...found, ok: false, ...(diagnosis !== undefined && { diagnosis }) }
      return below.size > 0 ? { ...found, ok: false, diagnosis: tooDeep([...below]) } : found
    },
  })
  const watched = changePart(step, 'limits', written => ({
    ...written,
    async prepare(container) {
      try {
        await written.prepare?.(container)
      } catch (error) {
        throw explained(error, container)
      }
    },
    async attach(container, pid) {
      try {
        await written.attach?.(container, pid)
      } catch (error) {
        throw explained(error, container)
      } finally {
        sendHome(container, pid)
      }
      for (const path of placesBelow(container, pid)) below.add(path)
      demandRoom(container)
    },
  }))
  return {
    ...watched,
    stages: watched.stages.map(stage =>
      stage.title === JOIN ? { ...stage, checks: (stage.checks ?? []).map(telling) } : stage,
    ),
  }
}

const wrongPid = (others: number[], pid: number) =>
  `cgroup.procs was given ${others.map(other => (other === process.pid ? `our own pid (${other}; 0 means it, too)` : other)).join(', ')} instead of the child's. Write a pid as the writer's pid namespace numbers it: here the container's first process is ${pid}, not 1.`

/** Where a process is below the directories that were planned for its container. */
function placesBelow({ cgroup }: Container, pid: number): string[] {
  const own = hierarchies(pid)
  return (cgroup?.folders ?? []).flatMap(({ hierarchy, path }) => {
    const folder = own.find(({ mount }) => mount === hierarchy.mount)?.own ?? ''
    return folder.startsWith(`${path}/`) ? [folder] : []
  })
}

const tooDeep = (places: string[]) =>
  `It is in ${places[0]}, a cgroup below the one that planCgroup(container) names. Its pid belongs in the cgroup.procs of each of the planned directories.`
