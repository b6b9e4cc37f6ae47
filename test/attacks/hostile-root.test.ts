import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { writeImage } from '../../lib/image/image.ts'
import { importRootfs } from '../../lib/image/store.ts'
import { snapshot } from '../support/canary.ts'
import { type Answer, isRefusal, runMany } from '../support/many-runs.ts'
import { isRoot, userFolder, type UserName, userData, thorough } from '../support/minilab.ts'

const busybox = execFileSync('sh', ['-c', 'command -v busybox || true'], { encoding: 'utf8' }).trim()
const noBusybox = busybox ? '' : ' (no busybox to make a root file system of)'

interface Case {
  name: string
  /** makes the root file system hostile: $R is it, $O the folder outside, $UP a way up to "/" */
  make?: string
  flags?: string[]
  /** what runs inside; prints its answer */
  script?: string
  command?: string[]
  /** what is printed inside, or of what the error speaks */
  expected: string | RegExp
  only?: 'root' | 'ordinary'
}

const asUser = (make: string, expected: Case['expected'], more: Partial<Case> = {}): Case => ({
  name: `passwd: ${make}`,
  make: `cd $R/etc; ${make}`,
  flags: ['-u', 'outsider'],
  script: 'id -u',
  expected,
  ...more,
})
/** Without root a container has only one user, but it was the right one that was looked for. */
const FOUND = /^1234$|no user 1234:56:/
const NO_USER = /no user "outsider"/

/** A volume lies where the link leads in the container; one that leads into /proc, nowhere or in a circle is refused. */
const INSIDE =
  /^lent$|mounted on "\/data(\/deep|\/file)?(\/down)?" in the container|through a link in the image|too many symbolic links/

/** Every way in which the same place may lead out. */
const leads = (place: string): [name: string, make: string][] => [
  ['an absolute link', `ln -s $O ${place}`],
  ['a link that climbs', `ln -s $UP$O ${place}`],
  ['a chain of links', `ln -s hop1 ${place}; ln -s /hop2 $R/hop1; ln -s $UP$O $R/hop2`],
  ['a loop', `ln -s /loop $R/loop; ln -s loop ${place}`],
  ['a link to nowhere', `ln -s /nowhere ${place}`],
  ['a link through /proc/self/root', `ln -s /proc/self/root$O ${place}`],
  ['a link through /proc/1/root', `ln -s /proc/1/root$O ${place}`],
  ['a link through a descriptor of ours', `ln -s /proc/self/fd/7 ${place}`],
  ['a file', `: > ${place}`],
  ['a FIFO', `mkfifo ${place}`],
]

const CASES: Case[] = [
  {
    name: 'nothing hostile',
    script: 'echo $(id -u) $(ls -d /proc/1 /dev/null)',
    expected: '0 /dev/null /proc/1',
  },

  ...['proc', 'sys'].flatMap(place =>
    leads(`$R/${place}`).map(([how, make]) => ({
      name: `/${place} is ${how}`,
      make: `rmdir $R/${place}; ${make}`,
      expected: new RegExp(`mounted on "/${place}" in the container \\((ELOOP|ENOTDIR)\\)`),
    })),
  ),
  ...leads('$R/dev').map(([how, make]) => ({
    name: `/dev is ${how}`,
    make: `rmdir $R/dev; ${make}`,
    expected: /mounted on "\/dev(\/\w+)?" in the container \((ELOOP|ENOTDIR|ENOENT|EINVAL)\)/,
  })),
  {
    name: '/dev is a link inside',
    make: 'rmdir $R/dev; mkdir -p $R/etc/dev; ln -s ../../etc/dev $R/dev',
    script: 'echo x > /dev/null; ls -l /dev/null | cut -c1; ls -d /etc/dev/pts',
    expected: 'c\n/etc/dev/pts',
  },
  {
    name: '/dev has files where devices shall be',
    make: 'echo mine > $R/dev/null; ln -s $O/passwd $R/dev/zero; mkdir $R/dev/fd',
    script: 'ls -l /dev/null /dev/zero | cut -c1; cat /dev/null',
    expected: 'c\nc',
  },

  ...leads('etc').map(([how, make]) => ({
    name: `/etc is ${how}`,
    make: `rm -r $R/etc; cd $R; ${make}`,
    flags: ['-u', 'outsider'],
    script: 'id -u',
    expected: /no user "outsider"|too many symbolic links|through a link in the image/,
  })),
  asUser('echo outsider:x:1234:56 > passwd', FOUND),
  asUser('mkdir ../usr; echo outsider:x:1234:56 > ../usr/p; ln -s /../../usr/p passwd', FOUND),
  asUser('mkdir ../usr; echo outsider:x:1234:56 > ../usr/p; ln -s ../../../usr/./p passwd', FOUND),
  asUser('ln -s $O/passwd passwd', NO_USER),
  asUser('ln -s $UP$O/passwd passwd', NO_USER),
  asUser('ln -s hop passwd; ln -s $O hop', NO_USER),
  asUser('ln -s /proc/self/root$O/passwd passwd', NO_USER),
  asUser('ln -s /proc/self/fd/7/passwd passwd', NO_USER),
  asUser('ln -s passwd passwd', /too many symbolic links/),
  asUser('mkfifo passwd', /is not a regular file/),
  asUser('mkdir passwd', /is a directory/),
  asUser('mknod passwd c 1 5', /is not a regular file/, { only: 'root' }),
  asUser('truncate -s 2M passwd', /is larger than 1048576 bytes/),
  asUser('echo outsider:x:1234:56 > passwd; chmod 0 passwd', /is not readable/, { only: 'ordinary' }),
  asUser('echo outsider:x:4294967296:0 > passwd', /"4294967296" is not an id/),
  asUser('echo outsider:x:4294967295:0 > passwd', /"4294967295" is not an id/),
  asUser('echo outsider:x:0x10:abc > passwd', /"0x10" is not an id/),
  asUser('echo outsider:x > passwd', NO_USER),
  asUser('head -c 300000 /dev/urandom > passwd', NO_USER),
  asUser('echo outsider:x:12:0 > passwd; ln -s $O/passwd group', /no group "outsider"/, {
    flags: ['-u', 'outsider:outsider'],
  }),
  {
    name: 'a hostile passwd that is not asked for',
    make: 'mkfifo $R/etc/passwd',
    script: 'echo here',
    expected: 'here',
  },

  ...leads('$R/work').map(([how, make]) => ({
    name: `the working directory is ${how}`,
    make,
    flags: ['-w', '/work'],
    script: 'pwd',
    // where the link leads in the container there is a folder, made if need be, or nothing that can be entered
    expected:
      /^\/.*\/outside$|^\/nowhere$|of the container cannot be entered \((ELOOP|ENOTDIR|ENOENT)\)|too many symbolic links/,
  })),
  ...['/proc/self/fd/7', '/proc/self/fd/7/x', '/proc/1/fd/7', '/proc/thread-self/fd/7'].map(path => ({
    name: `the working directory is ${path} (CVE-2024-21626)`,
    flags: ['-w', path],
    script: 'pwd',
    expected: /of the container cannot be entered \((ENOENT|ELOOP)\)/,
  })),
  {
    name: 'the working directory is missing',
    flags: ['-w', '/new/place'],
    script: 'pwd; ls -ld /new | cut -c1-10',
    expected: '/new/place\ndrwxr-xr-x',
  },

  ...leads('$R/data').flatMap(([how, make]) => [
    {
      name: `a volume's place is ${how}`,
      make,
      flags: ['-v', '$V:/data'],
      script: 'cat $(readlink -f /data)/file',
      expected: INSIDE,
    },
    {
      name: `a volume's place is in ${how}`,
      make,
      flags: ['-v', '$V:/data/deep/down'],
      script: 'cat $(readlink -f /data/deep/down)/file',
      expected: INSIDE,
    },
    {
      name: `a file's place is in ${how}`,
      make,
      flags: ['-v', '$V/file:/data/file:ro'],
      script: 'cat $(readlink -f /data/file)',
      expected: INSIDE,
    },
  ]),
  {
    name: `a volume's place is a link inside that climbs to "/"`,
    make: 'mkdir $R/var $R/run; ln -s ../run $R/var/run; ln -s /../../../run $R/again',
    flags: ['-v', '$V:/var/run/lent', '-v', '$V/file:/again/new/file:ro'],
    script: 'cat /run/lent/file /run/new/file; (echo x > /run/new/file) 2>&1 | grep -o Read-only',
    expected: 'lent\nlent\nRead-only',
  },
  {
    name: `a volume's place above "/"`,
    flags: ['-v', '$V:/../../lent'],
    script: 'cat /lent/file',
    expected: 'lent',
  },
  {
    name: 'a program outside',
    make: 'ln -s $UP$O/program $R/bin/program',
    command: ['/bin/program'],
    expected: /no \/bin\/program in/,
  },
]

describe.skipIf(noBusybox !== '')(`a hostile root file system${noBusybox}`, () => {
  const kinds: [kind: keyof typeof ROOTFS, user: UserName][] = [
    ['image', isRoot ? 'root' : 'ordinary'],
    ['directory', 'ordinary'],
  ]
  test.each([kinds[0]!, ...thorough(kinds.slice(1))])(
    'of %s, as %s: nothing outside is touched',
    async (kind, user) => {
      const folder = userFolder(user)
      const [data, outside, volume] = ['data', 'outside', 'volume'].map(name => join(folder, name)) as [
        string,
        string,
        string,
      ]
      const cases = CASES.filter(({ only }) => only === undefined || only === user)
      const made = cases.map(({ make = '' }, i) => `(R=${folder}/rootfs-${i}; ${ROOTFS[kind]}; ${make})`)
      execFileSync('sh', ['-ec', [SURROUNDINGS, ...made].join('\n')], {
        env: { ...process.env, F: folder, O: outside, UP: '../'.repeat(20).slice(0, -1) },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      if (kind === 'image') await importImages(folder, cases.length)
      if (isRoot && user === 'ordinary') execFileSync('chown', ['-Rh', '65534:65534', folder])

      const commands = cases.map(
        ({ flags = [], script = 'true', command = ['/bin/sh', '-c', script] }, i) => {
          const words = flags.map(flag => flag.replace('$V', volume))
          const image = kind === 'image' ? `hostile-${i}` : join(folder, `rootfs-${i}`)
          return ['run', '--rm', '--network', 'none', ...words, image, ...command]
        },
      )
      const canaries = () => [outside, volume].map(snapshot)
      const before = canaries()
      const fd = openSync(outside, 'r')
      const answers = await runMany(commands, { user, data }, { open: [fd, fd, fd, fd, fd] })
      closeSync(fd)
      const wrong = answers.flatMap((answer, i) =>
        isAsExpected(answer, cases[i]!.expected) ? [] : [{ name: cases[i]!.name, ...answer }],
      )
      expect(wrong).toEqual([])
      expect(canaries()).toEqual(before)
      for (const name of ['containers', 'ledger']) expect(readdirSync(join(data, name))).toEqual([])
    },
  )
})

test.skipIf(!isRoot)(
  'a volume that is a link to a mount keeps what that mount forbids (mounting needs root)',
  async () => {
    const data = userData()
    const script = 'mount -t tmpfs -o nosuid,nodev,noexec tmpfs /mnt; ln -s /mnt $0/linked; exec "$@"'
    const wrapper = ['unshare', '--mount', 'sh', '-ec', script, data]
    const inside = ['sh', '-c', 'grep " /lent " /proc/self/mountinfo | cut -d" " -f6']
    const [answer] = await runMany(
      [['run', '--rm', '--network', 'none', '-v', `${data}/linked:/lent:ro`, 'default', ...inside]],
      { data, wrapper },
    )
    expect(answer).toMatchObject({ status: 0, stderr: '', stdout: 'ro,nosuid,nodev,noexec,relatime\n' })
  },
)

/** Each root file system as an image of two layers: the programs below, and what is hostile on top. */
async function importImages(folder: string, count: number): Promise<void> {
  vi.stubEnv('MINILAB_DATA', join(folder, 'data'))
  const layers: string[] = []
  for (const name of ['base', ...Array.from({ length: count }, (_, i) => `rootfs-${i}`)]) {
    const tar = join(folder, `${name}.tar`)
    execFileSync('tar', ['-C', join(folder, name), '-cf', tar, '.'])
    const { image } = await importRootfs(tar, name)
    layers.push(...image.layers)
  }
  const [base = '', ...tops] = layers
  for (const [i, top] of tops.entries())
    writeImage({ name: `hostile-${i}`, layers: [base, top], config: {}, created: new Date(0).toISOString() })
}

function isAsExpected(answer: Answer, expected: Case['expected']): boolean {
  const printed = answer.stdout.trimEnd()
  if (typeof expected === 'string') return answer.status === 0 && printed === expected && answer.stderr === ''
  return (
    (isRefusal(answer) && expected.test(answer.stderr)) || (answer.status === 0 && expected.test(printed))
  )
}

const SURROUNDINGS = `
  umask 022; cd $F; mkdir -p data/containers data/ledger outside/empty volume base/bin
  echo lent > volume/file; echo outsider:x:77:77 > outside/passwd
  printf '#!/bin/sh\necho ran outside\n' > outside/program; chmod 755 outside/program; chmod 700 outside
  cp ${busybox} base/bin/busybox; for name in sh id ls cat grep cut pwd true readlink; do ln -s busybox base/bin/$name; done`

const FOLDERS = 'mkdir -p $R/etc $R/proc $R/sys $R/dev $R/tmp'
const ROOTFS = { image: `${FOLDERS} $R/bin`, directory: `${FOLDERS}; cp -al $F/base/bin $R` }
