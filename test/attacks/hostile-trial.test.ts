// Learners' code that attacks the machine on which `check` and `watch` try it.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Verdict } from '../../lib/labs/verdict.ts'
import { isRoot, runMinilab, users } from '../support/minilab.ts'
import { newLearner, solution } from '../labs/support.ts'

/** The file of lab 1 with code in front of it. */
const before = (code: string) =>
  `import fs from 'node:fs'\nimport cp from 'node:child_process'\nvoid [fs, cp]\n${code}\n${solution('1-cli')}`

describe.skipIf(!isRoot)('as root', () => {
  test('what the machine mounts later does not appear', async () => {
    const { folder, data, write } = await newLearner('root')
    const [usb, go] = [join(folder, 'usb'), join(folder, 'go')]
    mkdirSync(usb)
    write(
      '1-cli.ts',
      before(`
        fs.writeFileSync(process.env.MINILAB_DATA + '/ready', '')
        while (!fs.existsSync('${go}')) cp.spawnSync('sleep', ['0.1'])
        try { fs.writeFileSync('${usb}/here', '') } catch ({ code }) { console.log(code, fs.readdirSync('${usb}')) }`),
    )
    // a machine of its own, whose mounts are shared, as systemd makes them
    const machine = `
      mount --make-rprivate / && mount --make-rshared / || exit 9
      "$@" & until ls "$MINILAB_DATA"/containers/sandbox-*/ready; do sleep 0.1; done >/dev/null 2>&1
      mount -t tmpfs usb '${usb}' && echo data > '${usb}/data' && touch '${go}'
      wait $!; ls '${usb}' >&2; umount '${usb}'`
    const { stdout, stderr } = await runMinilab(['check', '1', '--json'], {
      user: 'root',
      data,
      env: { MINILAB_WORKSPACE: folder },
      wrapper: ['unshare', '-m', 'sh', '-c', machine, 'sh'],
    })
    expect(stderr).toBe('data\n')
    const { said } = JSON.parse(stdout) as Verdict
    expect(said).toBe('EROFS []\n')
  })
})
void [execFileSync, readdirSync, writeFileSync, users]
