import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { certain } from '../../lib/common/certain.ts'
import type { Started } from '../../chapters/1-cli/step.ts'
import { NAMESPACE_TYPES } from '../../lib/container/default-spec.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import type { Part } from '../../lib/container/part.ts'
import { root } from '../../lib/container/parts/root.ts'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import { refusalOf } from '../../lib/guide/refusal.ts'
import type { Stage } from '../../lib/guide/step.ts'
import type { Exit } from '../../lib/kernel/process/child.ts'

/** What each folder of PATH has under the name of the command; `status` is what it exits with. */
const FOLDERS = [
  { name: 'none' },
  { name: 'first', mode: 0o644, status: 6 },
  { name: 'second', mode: 0o755, status: 7 },
  { name: 'third', mode: 0o755, status: 8 },
]
const FOUND = 7
/** One has a space and one is empty: a shell in between would split the first and drop the second. */
const ARGS = ['tool', '-s', 'two words', '']
const NOT_AS_GIVEN = 9
const TOOL = (status: number) =>
  `#!/bin/sh\n[ "$#|$1|$2|$3" = '${ARGS.length - 1}|${ARGS.slice(1).join('|')}' ] || exit ${NOT_AS_GIVEN}\nexit ${status}\n`
const AT = '/mnt'
const PATH = FOLDERS.map(({ name }) => `${AT}/${name}`)
/** The name PATH is also the end of another name, and the beginning of a third. */
const ENV = [`MANPATH=${AT}/man`, `PATHS=${AT}/paths`, `PATH=${PATH.join(':')}`]
/** A path without a leading slash: it starts at the working directory. */
const RELATIVE = 'second/tool'
const AS_GIVEN = `[${ARGS.map(arg => JSON.stringify(arg)).join(', ')}]`

/** The first folder, which does not have it. */
export const NOT_FOUND_HERE = certain(PATH[0])

/** A container with its own files is told to run `tool`, which the host's folders of these names do not have. */
export function searchStage(program: Part): Stage<Started> {
  let exit: Exit | undefined
  let refused: string | undefined
  let calls: string[] = [] // the arguments of each execve, as strace prints them
  let direct: { exit?: Exit; refused?: string } = {}
  return {
    title: 'A command without a slash',
    async act(experiment) {
      const tools = experiment.folder('tools')
      for (const { name, mode, status } of FOLDERS) {
        mkdirSync(`${tools}/${name}`)
        if (mode) writeFileSync(`${tools}/${name}/tool`, TOOL(status), { mode })
      }
      const run = async (args: string[], cwd: string) => {
        const box = await experiment.another(`a container that is told to run \`${args[0]}\``, {
          parts: [namespaces, root, program],
          image: true,
          args,
          change({ spec }) {
            Object.assign(spec.process, { env: ENV, cwd })
            spec.linux.namespaces = NAMESPACE_TYPES.map(type => ({ type }))
            spec.mounts.push({ destination: AT, type: 'bind', source: tools, options: ['bind'] })
          },
        })
        box.shell.end()
        return { exit: await box.child?.exit, tape: box.tape }
      }
      try {
        const ran = await run(ARGS, '/')
        exit = ran.exit
        calls = ran.tape.filter(({ call }) => call === 'execve').map(({ args }) => args)
      } catch (error) {
        refused = refusalOf(error)?.message
        if (refused === undefined) throw error
      }
      if (exit?.status !== FOUND) return
      try {
        direct = await run([RELATIVE, ...ARGS.slice(1)], AT)
      } catch (error) {
        direct = { refused: refusalOf(error)?.message }
        if (direct.refused === undefined) throw error
      }
    },
    checks: [
      {
        id: 'search-path',
        claim: 'a command without a slash is found along PATH, in the child',
        look: () =>
          finding(
            exit?.status === FOUND && calls.every(call => call.includes(AS_GIVEN)),
            [
              seen('PATH of tool', null, PATH.join(':')),
              seen('waitid(P_PIDFD), tool', null, exit ? `status ${exit.status}` : 'no program'),
            ],
            () => whyNotFound(exit, refused ?? '', calls),
          ),
      },
      {
        id: 'slash',
        claim: 'a command with a slash is not searched for: it is a path, relative to the working directory',
        look: () =>
          exit?.status !== FOUND
            ? notHere('the search along PATH does not work yet')
            : finding(
                direct.exit?.status === FOUND,
                seen(
                  `${RELATIVE}, in ${AT}`,
                  null,
                  direct.exit ? `status ${direct.exit.status}` : 'no program',
                ),
                `${direct.refused ?? 'Another program was started'}. \`${RELATIVE}\` has a slash, so it is a path, and PATH is not searched.`,
              ),
      },
    ],
  }
}

function whyNotFound(exit: Exit | undefined, refused: string, calls: readonly string[]): string {
  const other = calls.find(call => !call.includes(AS_GIVEN))
  if (exit?.status === FOUND && other)
    return `The tool was found, but its arguments are not ${AS_GIVEN}, with the name first as it was typed: execve(${other}).`
  if (exit?.status === 8)
    return `The tool of ${PATH[3]} was taken, but that of ${PATH[2]} comes first: try the folders in their order.`
  if (exit?.status === NOT_AS_GIVEN)
    return `The tool was found, but its arguments are not ${JSON.stringify(ARGS)}: they are a list, and a command line that a shell splits again is not the same.`
  const tried = calls.map(call => /^"([^"]*)"/.exec(call)?.[1] ?? '')
  const foreign = tried.find(path => !PATH.includes(dirname(path)))
  if (exit && foreign !== undefined)
    return `${foreign} was tried, which is not in a folder of the PATH in spec.process.env, ${PATH.join(':')}.`
  if (exit) return `Another program was started, which ended by ${exit.signal ?? `exit(${exit.status})`}.`
  const last = /^execve\("([^"]*)"/.exec(refused)?.[1]
  if (last === undefined) return refused
  if (!last.includes('/'))
    return `${refused}: execve takes a path and does not search. The child has to try each folder of PATH; we cannot look for it, because its files are not ours.`
  if (!PATH.includes(dirname(last)))
    return `${refused}: that is not in a folder of the PATH in spec.process.env, ${PATH.join(':')}.`
  return `${refused}: the search ended there. A call that is refused ends the child, unless it is recorded with tape.attempt.`
}
