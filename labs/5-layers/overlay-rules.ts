import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { certain } from '../../lib/common/certain.ts'
import { MS_BIND } from '../../lib/kernel/syscalls/constants.ts'
import type { Diagnosis } from '../../lib/kernel/syscalls/syscall-error.ts'
import type { SourceLine } from '../../lib/common/errors.ts'

// Why the kernel refused an overlay, as far as its options and directories tell. Sources: Documentation/filesystems/overlayfs.rst,
// fs/overlayfs/params.c and super.c.

/** The mount that a learner's part asked for, and the container that it was for. */
export interface Asked {
  /** the line that recorded it */
  at: SourceLine | undefined
  target: string
  type: string
  flags: number
  options: string[]
  rootfs: string
  lower: string[]
  folder: string
  /** the error with which the kernel refused it, `EINVAL`; undefined if it succeeded, and a later call was refused */
  refused: string | undefined
}

/** The first cause that fits; undefined if we would only be guessing. */
export function whyNotStarted(asked: Asked): Diagnosis | undefined {
  const rules = asked.refused ? [...OF_THE_CALL, ...OF_THE_OPTIONS, ...OF_THE_DIRECTORIES] : AFTER_THE_MOUNT
  for (const rule of rules) {
    const found = rule(asked)
    if (found) return { cause: found[0], remedy: found[1] }
  }
  return undefined
}

type Rule = (asked: Asked) => [cause: string, remedy: string] | false | undefined | ''

const DIRECTORIES = ['lowerdir', 'upperdir', 'workdir'] as const
type Directory = (typeof DIRECTORIES)[number]
const FLAGS = [
  'ro',
  'rw',
  'userxattr',
  'volatile',
  'default_permissions',
  'override_creds',
  'nooverride_creds',
]
const VALUES = [
  ...DIRECTORIES,
  ...['lowerdir+', 'datadir+', 'redirect_dir', 'index', 'uuid', 'nfs_export', 'xino', 'metacopy', 'verity'],
]

/** A backslash makes the character after it literal. */
const parts = (text: string, separator: ',' | ':') =>
  text.match(new RegExp(String.raw`(?:\\.|[^\\${separator}])+`, 'gs')) ?? []
export const optionsIn = (data: string): string[] => [...parts(data, ',')]
const SPECIAL = /[\\:,]/
const escape = (path: string) => path.replace(/[\\:,]/g, '\\$&')
const unescape = (path: string) => path.replace(/\\(.)/gs, '$1')

const nameOf = (option: string) => option.replace(/=.*/s, '')

/** The directories that an option names. */
function named({ options }: Asked, name: Directory): string[] {
  const value = options.findLast(option => option.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
  return (name === 'lowerdir' ? parts(value, ':') : [value]).filter(Boolean).map(unescape)
}

/** Whether two directories are the same, or one is inside the other. */
const overlap = (one = '', other = '') =>
  `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`)

const TARGET = 'the second argument of the mount says where it is mounted: `rootfs`'

const OF_THE_CALL: Rule[] = [
  ({ flags }) =>
    (flags & MS_BIND) !== 0 && [
      'with MS_BIND the kernel mounts an existing directory, and ignores the type and the options',
      'an overlay is a new mount: give 0 as the flags',
    ],
  ({ type }) =>
    type !== 'overlay' && [
      `the type of the file system is "${type}", and that of an overlay is "overlay"`,
      'the type is the third argument of the mount',
    ],
  ({ target, rootfs, refused }) =>
    refused === 'ENOENT' &&
    !existsSync(target) && [
      `there is no ${target} to mount on`,
      rootfs === target ? 'make the directory in `prepare`' : TARGET,
    ],
  ({ options }) =>
    options.length === 0 && [
      'it has no options, so the kernel does not know the directories of the overlay',
      'the options are the fifth argument of the mount: one string, separated by commas',
    ],
]

const OF_THE_OPTIONS: Rule[] = [
  asked =>
    asked.lower.length > 1 &&
    named(asked, 'lowerdir')[0] === asked.lower.join(':') && [
      'the colons between the layers have a backslash before them, so the kernel reads all layers as one path',
      'escape each path first, then join them',
    ],
  ({ options }) => {
    const path = options.find(option => option.startsWith('/'))
    return (
      path && [
        `a comma ends an option, so the kernel reads ${path} as the name of an option`,
        'put a colon between the layers, and a backslash before a comma in a path',
      ]
    )
  },
  asked => {
    const data = asked.options.join(',')
    const isMeant = (path: string, before: string) =>
      data.includes(before + path.slice(0, path.search(SPECIAL)))
    const isRead = (path: string, name: Directory) =>
      named(asked, name).some(read => `${read}/`.startsWith(`${path}/`))
    // a path that was meant but written differently: the text before its first special character is there
    const wrong = [
      ...asked.lower.map(path => ({ path, name: 'lowerdir' as const, before: '' })),
      { path: asked.folder, name: 'upperdir' as const, before: 'upperdir=' },
      { path: asked.folder, name: 'workdir' as const, before: 'workdir=' },
    ].find(({ path, name, before }) => SPECIAL.test(path) && isMeant(path, before) && !isRead(path, name))
    if (!wrong) return undefined
    const name = certain(wrong.path.split('/').find(name => SPECIAL.test(name)))
    const isTwice = data.includes('\\\\:') && !name.includes('\\:') // a colon behind two backslashes
    return [
      `the name “${name}” in ${wrong.name} must be written “${escape(name)}”: a comma ends an option, a colon ends a path, and a backslash is not read as part of a name`,
      isTwice
        ? 'the backslashes that you have put there are escaped once more: replace the backslash first, or all three characters at once by one regular expression'
        : 'put a backslash before every comma, colon and backslash, in each path of lowerdir, upperdir and workdir',
    ]
  },
  ({ options }) => {
    const name = DIRECTORIES.find(name => !options.some(option => option.startsWith(`${name}=`)))
    if (!name) return undefined
    return options.some(option => option.includes(`${name}=`))
      ? [`${name}= is not at the beginning of an option`, 'put a comma between two options, and no space']
      : [`${name} is not among its options`, 'a writable overlay needs lowerdir, upperdir and workdir']
  },
  ({ options }) => {
    const flag = options.find(option => option.includes('=') && FLAGS.includes(nameOf(option)))
    return flag && [`${nameOf(flag)} is an option without a value`, `write ${nameOf(flag)}, without the rest`]
  },
  ({ options }) => {
    const unknown = options.map(nameOf).find(name => ![...FLAGS, ...VALUES].includes(name))
    return (
      unknown !== undefined && [
        `overlay has no option "${unknown}"`,
        "the kernel's overlayfs.rst describes the options; put a comma between two of them, and no space",
      ]
    )
  },
  ({ options, refused }) => {
    const other = options.find(option => /^(redirect_dir|metacopy|verity)=/.test(option))
    return (
      refused === 'EPERM' &&
      other &&
      !options.includes('userxattr') && [
        `${other} needs trusted.* attributes, and a process in a user namespace may not write those`,
        `leave out ${other}; \`userxattr\` lets overlay use user.* attributes`,
      ]
    )
  },
  ({ options }) => {
    const other = options.find(option => /^(redirect_dir=(on|follow)|metacopy=on)$/.test(option))
    return (
      other &&
      options.includes('userxattr') && [
        `the kernel does not take ${other} together with userxattr`,
        `leave out ${other}`,
      ]
    )
  },
]

const OF_THE_DIRECTORIES: Rule[] = [
  asked => {
    if (asked.refused !== 'ENOENT') return undefined
    const all = DIRECTORIES.flatMap(name => named(asked, name).map(path => ({ name, path })))
    const missing = all.find(({ path }) => !existsSync(path))
    const [, path = '', flag] = new RegExp(`^(.*?) *(${FLAGS.join('|')})$`).exec(missing?.path ?? '') ?? []
    if (missing && flag !== undefined && existsSync(path))
      return [
        `${missing.name} names ${missing.path}, and there is no such directory: ${flag} was read as a part of its name`,
        `put a comma before ${flag}, and no space`,
      ]
    return (
      missing && [
        `${missing.name} names ${missing.path}, and there is no such directory`,
        missing.name === 'lowerdir'
          ? 'the directories of the image are in `layers.lower`'
          : 'make the directory in `prepare`, and give the same path here',
      ]
    )
  },
  asked => {
    const all = DIRECTORIES.flatMap(name => named(asked, name))
    const file = all.find(path => existsSync(path) && !statSync(path).isDirectory())
    return file && [`${file} is not a directory`, 'lowerdir, upperdir and workdir are directories']
  },
  asked => {
    const stack = named(asked, 'lowerdir')
    const twice = stack.find((path, i) => stack.indexOf(path) !== i)
    return twice && [`${twice} is in lowerdir twice`, 'lowerdir has `layers.lower`, each layer once']
  },
  asked =>
    overlap(named(asked, 'upperdir')[0], named(asked, 'workdir')[0]) && [
      'workdir and upperdir are the same directory, or one lies in the other',
      'make two directories side by side: `upper` and `work`',
    ],
  asked =>
    named(asked, 'lowerdir').some(path => overlap(path, named(asked, 'upperdir')[0])) && [
      'upperdir and lowerdir are the same directory, or one lies in the other',
      'upperdir is an empty directory of this container; lowerdir is the image',
    ],
  asked => {
    const [upper, work] = [...named(asked, 'upperdir'), ...named(asked, 'workdir')]
      .filter(path => existsSync(path))
      .map(path => statSync(path).dev)
    return (
      upper !== undefined &&
      work !== undefined &&
      upper !== work && ['workdir and upperdir are on different file systems', 'make both in `layers.folder`']
    )
  },
]

/** The overlay was mounted, and the container could not start with it. */
const AFTER_THE_MOUNT: Rule[] = [
  ({ target, rootfs }) =>
    resolve(target) !== rootfs && [
      `the overlay is mounted on ${target}, and ${rootfs}, which becomes the container's root, stays an empty directory`,
      TARGET,
    ],
  asked => {
    const stack = named(asked, 'lowerdir')
    const missing = asked.lower.filter(path => !stack.includes(path))
    if (missing.length === 0) return undefined
    return missing.length === asked.lower.length
      ? [`lowerdir is ${stack.join(':')}, which is not the image`, 'lowerdir has `layers.lower`']
      : [
          `not all layers are in lowerdir: ${missing.length} of ${asked.lower.length} are missing, with their files`,
          'lowerdir has all of `layers.lower`',
        ]
  },
]
