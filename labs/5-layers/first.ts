import { lstatSync } from 'node:fs'
import { directories, rootMount, upperOf } from '../../chapters/5-layers/readings.ts'
import type { Stack } from '../../chapters/5-layers/step.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene, Stage } from '../../lib/guide/step.ts'
import { status } from '../../lib/kernel/process/procfs.ts'

// Further questions about the first container's directories: each of these mistakes would show only later, in what the container does.

/** The stage of the step's own container, with these questions. */
export const firstStage = (stage: Stage<Stack>): Stage<Stack> => ({
  ...stage,
  checks: [
    ...(stage.checks ?? []).map(check => (check.id === 'overlay-root' ? stricter(check) : check)),
    ownFolder,
    enterable,
  ],
})

/** The check, which also fails if the container cannot use the overlay. */
const stricter = (check: Check<Stack>): Check<Stack> => ({
  ...check,
  async look(scene) {
    const found = await check.look(scene)
    const diagnosis = unusable(scene)
    return diagnosis === undefined ? found : { ...found, ok: false, diagnosis }
  },
})

function unusable({ pid, folder }: Scene & Stack): string | undefined {
  const top = rootMount(pid)
  if (top?.type !== 'overlay') return undefined
  if ([...top.options, ...top.superOptions].includes('ro'))
    return 'The overlay is mounted read-only: the container can write nothing.'
  const value = (name: string) =>
    top.superOptions.find(option => option.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
  const relative = ['lowerdir', 'upperdir', 'workdir'].find(name => !/^\//.test(value(name)))
  if (relative)
    return `${relative} is ${value(relative) || 'not there'}, and that is not an absolute path: the kernel starts from the child's current directory.`
  const work = value('workdir')
  return work.startsWith(`${folder}/`) || directories(top, 'upperdir')[0] !== upperOf({ folder })
    ? undefined
    : `Its workdir is ${work}, and not in \`layers.folder\`: each container needs its own, as two overlays cannot use the same workdir.`
}

const modeOf = (path: string) => {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat ? (stat.mode & 0o777).toString(8).padStart(4, '0') : 'none'
}

const ownFolder: Check<Stack> = {
  id: 'own-folder',
  claim: 'other users of the host cannot look into the folder of the container',
  look({ folder }) {
    const mode = modeOf(folder)
    return finding(
      mode === '0700',
      seen(`lstat ${folder}`, `mode ${mode}`, null),
      `\`layers.folder\` has mode ${mode}: other users of the host can run setuid programs of the container. Likeliest: it was made by \`mkdirSync\`. \`makeFolder(container)\` makes \`layers.folder\`, with mode 0700: it comes first.`,
    )
  },
}

/** The mode of the upper directory is the mode of the container's root. */
const enterable: Check<Stack> = {
  id: 'root-enterable',
  claim: 'each user of the container may enter its `/`, and list it',
  look(scene) {
    const mode = modeOf(upperOf(scene))
    const usual = 0o005 & ~Number.parseInt(status('self').Umask ?? '0', 8) // as mkdir(2) makes it without a mode
    return finding(
      (Number.parseInt(mode, 8) & usual) === usual,
      seen(`lstat ${upperOf(scene)}`, `mode ${mode}`, null),
      `\`upper\` has mode ${mode}, and so has \`/\` in the container: a user who is not root there can reach no file. Only \`layers.folder\` must be closed to others; make \`upper\` without a mode.`,
    )
  },
}
