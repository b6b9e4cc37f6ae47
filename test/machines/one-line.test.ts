// What is wrong with an image, a folder or a variable is said in one line that helps: no raw call, no stack, no words of Node's.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runMinilab, self, sharedData, userData, userFolder } from '../support/minilab.ts'

const data = sharedData()
const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const ALONE = ['run', '--rm', '--network', 'none']
const LONG = 'ä'.repeat(128) // 256 bytes, one more than a name may have

/** The default image as a plain directory, changed. */
function image(change: (folder: string) => void): string {
  const folder = join(userFolder(), 'image')
  const [layer = ''] = readdirSync(join(data[self], 'layers'))
  cpSync(join(data[self], 'layers', layer, 'diff'), folder, { recursive: true, verbatimSymlinks: true })
  change(folder)
  return folder
}

async function said(args: string[], more: { env?: NodeJS.ProcessEnv; wrapper?: string[] } = {}) {
  const { status, stderr } = await runMinilab(args, { data: data[self], ...more })
  return { status, stderr }
}

const line = (text: string) => ({ status: 125, stderr: `minilab: ${text}\n` })

describe('a name of more than 255 bytes', () => {
  test.each([
    [
      ['-w', `/${LONG}`],
      `the working directory "/${LONG}" of the container cannot be entered (ENAMETOOLONG): choose another working directory: -w /`,
    ],
    [
      ['-v', `/tmp:/${LONG}`],
      `nothing can be mounted on "/${LONG}" in the container (ENAMETOOLONG): the path is too long: correct the image, or choose another destination (-v)`,
    ],
  ])('run %s', async (flags, words) => {
    expect(await said([...ALONE, ...flags, 'default', 'true'])).toEqual(line(words))
  })

  test('as the target of a link of the image', async () => {
    const folder = image(folder => {
      rmSync(join(folder, 'etc/passwd'))
      symlinkSync(`/${LONG}`, join(folder, 'etc/passwd'))
    })
    expect(await said([...ALONE, '-u', 'root', folder, 'true'])).toEqual(
      line(`there is no user "root" in the image's /etc/passwd: give a number`),
    )
  })
})

test.each(['x', 'x:x:one:root', 'x:x::root', 'x:x:99999999999:root', 'x:x:-1:root'])(
  'a damaged line in the /etc/group of an image, "%s", is no group',
  async damaged => {
    const folder = image(folder => writeFileSync(join(folder, 'etc/group'), `${damaged}\nroot:x:0:\n`))
    expect(await said([...ALONE, folder, 'true'])).toEqual({ status: 0, stderr: '' })
  },
)

test('an image that is a link to the root of the machine', async () => {
  const link = join(userFolder(), 'link')
  symlinkSync('/', link)
  expect(await said([...ALONE, link, 'true'])).toEqual(
    line(
      "this machine's own root cannot be a container's root file system: name a directory with a copy of it, or an image",
    ),
  )
})

test('a limit on file sizes that leaves no room for what we note', async () => {
  expect(await said([...ALONE, 'default', 'true'], { wrapper: ['prlimit', '--fsize=4096'] })).toEqual(
    line('ftruncate failed with EFBIG: raise the limit on file sizes (ulimit -f)'),
  )
})

describe('a data folder of which a part may not be read', () => {
  const REMEDY = 'ask the owner for access, or set MINILAB_DATA to a folder that you may write to\n'
  const as = { user: 'ordinary' } as const

  test('the folder itself', async () => {
    const folder = userFolder('ordinary')
    chmodSync(folder, 0o300)
    const { stderr } = await runMinilab(['ps'], { ...as, data: folder })
    expect(stderr).toBe(
      `minilab: cannot look into the data folder ${folder}: EACCES: permission denied, access '${folder}': ${REMEDY}`,
    )
    chmodSync(folder, 0o755)
  })

  test('what is above it', async () => {
    const folder = userFolder('ordinary')
    chmodSync(folder, 0)
    const inner = join(folder, 'inner')
    const { stderr } = await runMinilab(['ps'], { ...as, data: inner })
    expect(stderr).toBe(
      `minilab: cannot look into the data folder ${inner}: EACCES: permission denied, stat '${inner}': ${REMEDY}`,
    )
    chmodSync(folder, 0o755)
  })

  test.each(['logs', 'containers'])('its %s', async name => {
    const folder = userData('ordinary')
    mkdirSync(join(folder, name), { recursive: true })
    chmodSync(join(folder, name), 0)
    const run = ['run', '-d', '--rm', '--network', 'none', 'default', 'true']
    const { stderr } = await runMinilab(run, { ...as, data: folder })
    expect(stderr).toMatch(/^minilab: [^\n]+ EACCES: [^\n]+\n$/)
    expect(stderr.endsWith(`: ${REMEDY}`)).toBe(true)
    chmodSync(join(folder, name), 0o755)
  })
})

test.each(['NO_COLOR', 'NODE_DISABLE_COLORS'])('%s together with FORCE_COLOR', async name => {
  const { stdout, stderr } = await runMinilab(['ps', '-a', '--json'], {
    data: data[self],
    env: { [name]: '1', FORCE_COLOR: '1' },
  })
  expect({ stdout, stderr }).toEqual({ stdout: '[]\n', stderr: '' })
})

describe('an argument that is not UTF-8, of which Node would make another', () => {
  const minilab = `${process.execPath} -- ${ENTRY} ${ALONE.join(' ')} default echo`
  const script = (text: string) => {
    const env = { ...process.env, MINILAB_DATA: data[self] }
    const { status, stdout, stderr } = spawnSync('bash', ['-c', text], { encoding: 'utf8', env })
    return { status, stdout, stderr }
  }

  test('is refused', () => {
    expect(script(`${minilab} x $'a\\xff'`)).toEqual({
      stdout: '',
      ...line(
        'the argument "a\ufffd" is not UTF-8: let a shell in the container produce these bytes, with printf',
      ),
    })
  })

  test('nor is a variable that is to be handed on', () => {
    const handsOn = (flag: string) =>
      script(`export A=$'\\xffq'; ${minilab.replace(/ default echo$/, '')} ${flag} default true`)
    const said = line(
      'the variable "A=\ufffdq" is not UTF-8: let a shell in the container produce these bytes, with printf',
    )
    for (const flag of ['-e A', '-eA', '--env A', '--env=A'])
      expect(handsOn(flag)).toEqual({ stdout: '', ...said })
    expect(handsOn('-e B')).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  test('U+FFFD itself, and all other characters, are passed on', () => {
    const words = 'ä \ufffd 😀'
    expect(script(`${minilab} ${words}`)).toEqual({ status: 0, stdout: `${words}\n`, stderr: '' })
  })
})
