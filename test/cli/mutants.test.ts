import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { steps } from '../../lib/cli/steps.ts'
import type { WrongReport } from '../../lib/guide/run-mutant.ts'
import { isRoot, runMinilab, userFolder, users, userData, thorough, few } from '../support/minilab.ts'

describe('--list-mutants', () => {
  test('--json: for each step a list of names, misconceptions and what breaks', async () => {
    const { status, stdout } = await runMinilab(['step', 'all', '--list-mutants', '--json'])
    expect(status).toBe(0)
    const lists = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as unknown)
    const expected = await Promise.all(
      steps.map(async ({ mutants }) =>
        (await mutants()).map(({ name, misconception, breaks }) => ({
          name,
          misconception,
          breaks: Object.keys(breaks),
        })),
      ),
    )
    expect(lists).toEqual(expected)
  })

  test('for people: every name with its misconception, and what to type', async () => {
    const { stdout } = await runMinilab(['step', '3', '--list-mutants', '--plain'])
    expect(stdout).toMatch(/^Step 3 · root: \d+ wrong ways to build it\n/)
    expect(stdout).toMatch(
      /^ {2}chroot\n {4}chroot was used in place of pivot_root\n( {4}.*\n)* {4}breaks pivot-holds: the same calls end/m,
    )
    expect(stdout).toContain('minilab step 3 --mutant ')
    expect(stdout.split('\n').filter(line => line.length > 88)).toEqual([])
  })
})

describe.each(users)('as %s', user => {
  const wrong = async (...args: string[]) => {
    const ran = await runMinilab(['step', ...args, '--json'], { user })
    return { ...ran, report: JSON.parse(ran.stdout) as WrongReport }
  }

  test('--without a kind of namespace: by either of its names', async () => {
    for (const name of ['net', 'network']) {
      const { report, status, stderr } = await wrong('2', '--without', name)
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(report.wrong.broke, name).toContain('own-net')
    }
  })

  test('--without twice', async () => {
    const { report } = await wrong('2', '--without', 'uts', '--without', 'ipc')
    expect(report.wrong).toMatchObject({ title: 'without uts and ipc', breaks: null })
    expect(report.wrong.broke).toEqual(expect.arrayContaining(['own-uts', 'own-ipc', 'queue']))
  })

  test('--without a system call', async () => {
    const { report } = await wrong('3', '--without', 'pivot_root')
    expect(report.wrong.broke).toEqual(expect.arrayContaining(['own-root', 'pivot-holds']))
    expect(report.tape.map(({ call }) => call)).not.toContain('pivot_root')
  })

  test('what the kernel refuses is the answer', async () => {
    const { report, status } = await wrong('3', '--without', 'chdir')
    expect(status).toBe(0)
    expect(report.refused?.message).toMatch(/^pivot_root\(.* = -1 EINVAL/)
    // it went as far as that: the break-out of a mere chroot, which comes first, was looked at
    expect(report.checks.map(({ id }) => id)).toEqual(['chroot-jail', 'chroot-escape'])
  })
})

/**
 * A wrong container may stand on the machine's own root while it is told to change and delete what it takes for its own.
 * Here the machine's files are copies in a mount namespace of the test's: if they were harmed, nothing would be lost.
 */
describe.skipIf(!isRoot)(
  `the machine's files are out of reach${isRoot ? '' : ' (only root could harm them)'}`,
  () => {
    const canary = `
    mount -t tmpfs canary /var; mkdir -p /var/lib /var/tmp; echo alive > /var/canary
    mount -t tmpfs canary /root
    folder=$1; shift
    cp -a /etc "$folder/etc"; mount --bind "$folder/etc" /etc # what is deleted in it
    cp -L /etc/os-release "$folder/release"; mount --bind "$folder/release" /usr/lib/os-release
    state() { ls -lAR --full-time /var /root /etc; cat /usr/lib/os-release; }
    state > "$folder/before"
    "$@"; status=$?
    state > "$folder/after"
    cmp "$folder/before" "$folder/after" >&2 && exit $status`

    test.each(['root', ...thorough(['pivot_root', 'layers', 'namespaces', 'mnt'])])(
      'step 5 --without %s',
      async name => {
        const data = userData()
        const folder = userFolder()
        const wrapper = [
          'unshare',
          '--mount',
          '--propagation',
          'private',
          '/bin/sh',
          '-c',
          canary,
          'sh',
          folder,
        ]
        const ran = await runMinilab(['step', '5', '--without', name, '--json'], { data, wrapper })
        expect(ran).toMatchObject({ stderr: '', status: 0 })
        expect(readdirSync(join(data, 'containers'))).toEqual([])
        expect(readdirSync(join(data, 'ledger'))).toEqual([])
      },
    )
  },
)

test.each(
  few(3, [
    [['3', '--mutant', 'chrot'], 'step 3 has no mutant "chrot": did you mean chroot?'],
    [['3', '--mutant', 'x'], 'step 3 has no mutant "x": minilab step 3 --list-mutants shows them'],
    [
      ['3', '--without', 'pivotroot'],
      'step 3 has no "pivotroot" that could be left out: did you mean pivot_root?',
    ],
    [['1', '--without', 'execve'], 'step 1 has no "execve" that could be left out: it has '],
    [['all', '--mutant', 'chroot'], 'a mutant belongs to one step: name the step'],
    [['3', '--mutant', 'chroot', '--without', 'pid'], '--mutant and --without cannot be combined: '],
    [['3', '--mutant', 'chroot', '--runtime', 'runc'], '--mutant and --without go with --yes'],
    [['3', '--mutant', 'chroot', '--', 'ls'], '--mutant and --without go with --yes'],
  ]),
)('%j: %s', async (args, message) => {
  const { status, stdout, stderr } = await runMinilab(['step', ...args])
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toMatch(/^minilab: .*\n$/)
  expect(stderr).toContain(message)
})
