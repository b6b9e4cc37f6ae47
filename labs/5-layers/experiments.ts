import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { certain } from '../../lib/common/certain.ts'
import { isKind } from '../../lib/common/errors.ts'
import { directories, rootMount, upperOf } from '../../chapters/5-layers/readings.ts'
import { beginStack, type Stack } from '../../chapters/5-layers/step.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { PlanOptions } from '../../lib/guide/step-plan.ts'
import { changeAct } from '../../lib/guide/mutant.ts'
import { inWords, refusalOf } from '../../lib/guide/refusal.ts'
import type { Stage, Step } from '../../lib/guide/step.ts'
import { firstStage } from './first.ts'
import { explained, type Latest, noteCalls, NotStarted } from './refused.ts'

// What the lab tries with the learner's part, besides the step: an image of several layers, with names that must be escaped.

/** The step, whose own container says what is wrong with its overlay where it cannot start, and after it one on three layers. */
export function withLayers(step: Step<Stack>): Step<Stack> {
  const latest: Latest = { ops: [], first: 1 }
  const noted = changeAct(noteCalls(step, latest), 'A stack of directories', async experiment => {
    try {
      await beginStack(experiment)
    } catch (error) {
      throw await explained(error, experiment, latest)
    }
  })
  const [first, ...others] = noted.stages
  const rootName = `root-${randomBytes(3).toString('hex')}` // an unpredictable name
  return {
    ...noted,
    async plan(plan, experiment) {
      await step.plan?.(plan, experiment)
      if (plan.layers) plan.rootfs = plan.spec.root.path = join(plan.layers.folder, rootName)
    },
    stages: [firstStage(certain(first)), ...others, threeLayers(latest)],
  }
}

/** A name with every character that has to be escaped, more than once and side by side. */
const awkward = () => `${randomBytes(3).toString('hex')}:v1,a\\b\\,c:d, e`

/** The names of two layers over an image. Sorted upwards or downwards, the paths of the three are in another order. */
function twoNames({ scene, ledger }: Experiment<Stack>): string[] {
  const upwards = [awkward(), awkward()].sort()
  const isImageFirst = certain(scene.lower[0]) < join(ledger.dataFolder, 'containers')
  return isImageFirst ? upwards : upwards.reverse()
}

/** A container on three layers: the image, and two of ours over it. */
function threeLayers(latest: Latest): Stage<Stack> {
  let wanted: string[] = []
  let names: string[] = []
  let folder = ''
  let pid = 0
  let output = ''
  let refused = ''
  return {
    title: 'An image of several layers',
    act: async experiment => {
      names = twoNames(experiment)
      wanted = [...names.map((name, i) => layer(experiment, name, i === 0)), ...experiment.scene.lower]
      try {
        const box = await anotherOn(wanted, experiment, latest)
        pid = box.pid
        folder = box.container.layers?.folder ?? ''
        output = (await box.shell.run('cat /etc/top /etc/base')).output.trim()
      } catch (error) {
        const refusal = isKind(error, 'limited') ? undefined : refusalOf(error)
        if (!refusal) throw error
        // if the container cannot start, its layers are the reason
        refused = `${error instanceof NotStarted ? error.cause : inWords(refusal)}. To do: ${refusal.remedy}`
      }
    },
    checks: [
      {
        id: 'three-layers',
        claim: 'a container of an image with three layers has them all, topmost first',
        look() {
          if (refused)
            return finding(
              false,
              seen('the container', null, 'did not start'),
              `It did not start: ${refused}.`,
            )
          const stack = directories(rootMount(pid), 'lowerdir')
          const [upper = 'none'] = directories(rootMount(pid), 'upperdir')
          return finding(
            stack.join('\n') === wanted.join('\n') &&
              output === names.join('\n') &&
              upper === upperOf({ folder }),
            [
              ...wanted.map((dir, i) => seen('its lowerdir', dir, stack[i] ?? 'none')),
              seen('its upperdir', upperOf({ folder }), upper),
              seen('cat /etc/top /etc/base', names.join(' and '), output.replaceAll('\n', ' and ')),
            ],
            () => whyOtherStack(stack, wanted, upper),
          )
        },
      },
    ],
  }
}

/** A container on these layers. Its own folder has such a name, too, and its root another name than usual. */
async function anotherOn(lower: string[], experiment: Experiment<Stack>, latest: Latest) {
  const options: PlanOptions = {
    change(plan) {
      if (!plan.layers) return
      const folder = `${plan.layers.folder}-${awkward()}`
      plan.rootfs = plan.spec.root.path = join(folder, 'view')
      plan.layers = { lower, folder }
    },
  }
  try {
    return await experiment.another('a container on three layers', options)
  } catch (error) {
    throw await explained(error, experiment, latest, options)
  }
}

function whyOtherStack(stack: readonly string[], wanted: readonly string[], upper: string): string {
  if (stack.length < wanted.length)
    return `Only ${stack.length} of the ${wanted.length} layers are in lowerdir: the files of the others are missing.`
  if (stack.toSorted().join() === wanted.toSorted().join() && stack.join() !== wanted.join())
    return 'The layers are in another order: lowerdir has the topmost first, and a layer hides what is below it.'
  return stack.join() === wanted.join()
    ? `Its upperdir is ${upper}, and not \`upper\` in \`layers.folder\`.`
    : `lowerdir is ${stack.join(':')}, and not the image's layers.`
}

/** A layer in a folder with this name. It has a file that both layers have, and its own file. */
function layer(experiment: Experiment<Stack>, name: string, isTop: boolean): string {
  const dir = experiment.folder(name)
  mkdirSync(join(dir, 'etc'))
  writeFileSync(join(dir, 'etc/top'), `${name}\n`)
  if (!isTop) writeFileSync(join(dir, 'etc/base'), `${name}\n`)
  return dir
}
