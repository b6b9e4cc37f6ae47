import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Started } from '../../chapters/1-cli/step.ts'
import { NAMESPACE_TYPES } from '../../lib/container/default-spec.ts'
import { namespaces } from '../../lib/container/namespaces.ts'
import type { Part } from '../../lib/container/part.ts'
import { root } from '../../lib/container/root.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import { refusalOf } from '../../lib/guide/refusal.ts'
import type { Stage } from '../../lib/guide/step.ts'
import type { Exit } from '../../lib/kernel/child.ts'

/** What each folder of the PATH has by the name of the command; `status` is what it exits with. */
const FOLDERS = [
  { name: 'none' },
  { name: 'first', mode: 0o644, status: 6 },
  { name: 'second', mode: 0o755, status: 7 },
  { name: 'third', mode: 0o755, status: 8 },
]
const FOUND = 7
/** With a blank and an empty one: a shell in between would split the first and drop the second. */
const ARGS = ['tool', '-s', 'two words', '']
const NOT_AS_GIVEN = 9
const TOOL = (status: number) =>
  `#!/bin/sh\n[ "$#|$1|$2|$3" = '${ARGS.length - 1}|${ARGS.slice(1).join('|')}' ] || exit ${NOT_AS_GIVEN}\nexit ${status}\n`
const AT = '/mnt'
const PATH = FOLDERS.map(({ name }) => `${AT}/${name}`)

/** The first folder, where it is not. */
export const NOT_FOUND_HERE = PATH[0]!

/** A container with files of its own is told to run `tool`, which is in none of the host's folders of that name. */
export function searchStage(program: Part): Stage<Started> {
  let exit: Exit | undefined
  let refused: string | undefined
  return {
    title: 'A command without a slash',
    async act(lab) {
      const tools = lab.folder('tools')
      for (const { name, mode, status } of FOLDERS) {
        mkdirSync(`${tools}/${name}`)
        if (mode) writeFileSync(`${tools}/${name}/tool`, TOOL(status), { mode })
      }
      try {
        exit = await lab.run('a container that is told to run `tool`', {
          parts: [namespaces, root, program],
          image: true,
          args: ARGS,
          change({ spec }) {
            Object.assign(spec.process, { env: [`PATH=${PATH.join(':')}`], cwd: '/' })
            spec.linux.namespaces = NAMESPACE_TYPES.map(type => ({ type }))
            spec.mounts.push({ destination: AT, type: 'bind', source: tools, options: ['bind'] })
          },
        })
      } catch (error) {
        refused = refusalOf(error)?.message
        if (refused === undefined) throw error
      }
    },
    checks: [
      {
        id: 'search-path',
        claim: 'a command without a slash is found along PATH, in the child',
        look: () =>
          finding(
            exit?.status === FOUND,
            [
              seen('PATH', null, PATH.join(':')),
              seen('waitid(P_PIDFD)', null, exit ? `status ${exit.status}` : 'no program'),
            ],
            () => whyNotFound(exit, refused ?? ''),
          ),
      },
    ],
  }
}

function whyNotFound(exit: Exit | undefined, refused: string): string {
  if (exit?.status === 8)
    return `The tool of ${PATH[3]} was taken, and that of ${PATH[2]} comes first: the folders count in their order.`
  if (exit?.status === NOT_AS_GIVEN)
    return `The tool was found, and its arguments are not ${JSON.stringify(ARGS)}: they are a list, and a command line that a shell takes apart again is not the same.`
  if (exit) return `Something else was started, which ended by ${exit.signal ?? `exit(${exit.status})`}.`
  const tried = /^execve\("([^"]*)"/.exec(refused)?.[1]
  if (tried === undefined) return refused
  if (!tried.includes('/'))
    return `${refused}: execve takes a path, and searches nothing. The child has to try each folder of PATH; we cannot look for it, because its files are not ours.`
  if (!PATH.includes(dirname(tried)))
    return `${refused}: that is no folder of the PATH in spec.process.env, which is ${PATH.join(':')}.`
  return `${refused}: the search ended there. A call that is refused ends the child, unless it is recorded by tape.attempt.`
}
