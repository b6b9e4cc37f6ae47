// Programs that are not installed: the package that minilab names is the one that helps. "Installed" are its files, as dpkg lists them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, userData } from '../support/minilab.ts'

/** With the machine's own programs: the script has those that were hidden, too. */
const minilab = `env PATH=$path ${process.execPath} -- ${join(import.meta.dirname, '../../bin.mjs')}`

/** For bash: /usr can be changed here, and nobody else sees it; `hide PACKAGE…` and `install PACKAGE…` do what they say. */
const PACKAGES = `
  set -u
  mkdir $t/usr $t/upper $t/work
  mount --bind /usr $t/usr; mount -o remount,bind,ro $t/usr
  mount -t overlay -o lowerdir=$t/usr,upperdir=$t/upper,workdir=$t/work overlay /usr
  path=$PATH PATH=$t/usr/bin:$t/usr/sbin
  files() { dpkg -L "$@" | sed -E 's#^/(bin|sbin|lib)/#/usr/\\1/#' | grep ^/usr/ | while read -r f; do [ -d "$t$f" ] || echo "$f"; done; }
  hide() { files "$@" | xargs rm -f; }
  install() { files "$@" | while read -r f; do cp -a "$t$f" "$f"; done; }
  named() { tr -s '\\n ' ' ' | sed -n 's/.*apt-get install \\([a-z0-9-]*\\).*/\\1/p' | head -1; }`

/** What a script printed, in a mount namespace of its own. */
function bash(script: string): string {
  const t = mkdtempSync('/var/tmp/minilab-remedies-') // not /tmp: a tmpfs cannot always lie below an overlay
  onTestFinished(() => rmSync(t, { recursive: true }))
  const { stdout } = spawnSync('unshare', ['-m', 'bash', '-c', `${PACKAGES}\n${script}`], {
    encoding: 'utf8',
    env: { ...process.env, t, MINILAB_DATA: userData() },
  })
  return stdout
}

const LAB = `export MINILAB_WORKSPACE=$t/mine; ${minilab} init $t/mine >/dev/null; ${minilab} lab 1 >/dev/null; ${minilab} check 1`

/** What is proposed, of what is hidden, by which command; and a program without which it cannot be tried here. */
const CASES = [
  { packages: ['crun'], command: `${minilab} step 2 --yes --plain --runtime crun`, needs: '/usr/bin/crun' },
  { packages: ['runc'], command: `${minilab} step 2 --yes --plain --runtime runc`, needs: '/usr/sbin/runc' },
  { packages: ['e2fsprogs'], command: `${minilab} escape --plain 1`, needs: '/usr/sbin/mkfs.ext4' },
  {
    packages: ['nftables'],
    hidden: ['nftables', 'iptables'],
    command: `${minilab} doctor --plain`,
    needs: '/usr/sbin/nft',
  },
  { packages: ['busybox-static', 'coreutils'], command: LAB, needs: '/usr/bin/busybox' },
]

const ofRoot = isRoot ? describe : undefined
ofRoot?.('the packages that are proposed, one after the other, until nothing is missing', () => {
  test.each(CASES.filter(({ needs }) => existsSync(needs)))(
    '$packages',
    ({ packages, hidden = packages, command }) => {
      const printed = bash(`
        hide ${hidden.join(' ')}
        for _ in 1 2 3; do package=$(${command} 2>&1 | named); [ "$package" ] || break; echo "$package"; install "$package"; done`)
      expect(printed.trim().split('\n')).toEqual(packages)
    },
  )
})

test('too few open files: the limit that is named is the one to raise', () => {
  const run = (most: number) =>
    spawnSync('bash', ['-c', `ulimit -n ${most}; ${minilab} run --rm default echo ok`], {
      encoding: 'utf8',
      env: { ...process.env, MINILAB_DATA: userData() },
    })
  // the fewer, the earlier: while our modules are loaded, at the tape, at the image, at the firewall's program
  for (const most of [24, 27, 30, 36]) {
    const { status, stderr } = run(most)
    expect({ most, status, stderr }).toEqual({
      most,
      status: 125,
      stderr: expect.stringMatching(
        /^minilab: [^\n]+: allow more open files \(ulimit -n\)[^\n]*\n$/,
      ) as string,
    })
  }
  expect(run(256).stdout).toBe('ok\n')
})
