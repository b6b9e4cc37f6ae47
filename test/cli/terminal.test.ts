import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { processExists, status } from '../../lib/kernel/process/procfs.ts'
import { isRoot, runMinilab, userData } from '../support/minilab.ts'
import { noTmux, Terminal } from '../support/terminal.ts'

describe.skipIf(noTmux)(`in a real terminal${noTmux}`, () => {
  test('a step asks for a prediction, and scores it', async () => {
    const data = userData()
    const terminal = new Terminal({ MINILAB_DATA: data })
    terminal.minilab('step 1')
    await terminal.shows(/How many of its eight namespaces[^]*❯ choose with ↑ and ↓[^]*navigate/)
    // nothing is chosen yet, and Enter alone chooses nothing
    terminal.key('Enter')
    await terminal.shows('First choose an answer')
    terminal.key('Down')
    await terminal.shows(/❯ 0\n/)
    terminal.key('Down')
    terminal.key('Enter')
    await terminal.shows('You said 1 (pid); the kernel says 0.')
    await terminal.shows('0 of 1 predicted')
    terminal.type('clear')
    terminal.minilab('step 1')
    await terminal.shows(/How many of its eight namespaces[^]*❯ choose/)
    terminal.key('Down')
    terminal.key('Enter')
    await terminal.shows('You predicted it: 0.')
    await terminal.shows('1 of 1 predicted')
  })

  test('what cannot be had here is not asked, its reason is said once, and nothing is said to hold', async context => {
    const data = userData('ordinary')
    const user = { user: 'ordinary', data } as const
    const [report] = (await runMinilab(['step', '4', '--json'], user)).json()
    if (report!.limited.length === 0) return context.skip('an ordinary user may make cgroups here')
    const terminal = new Terminal({ MINILAB_DATA: data, NODE_COMPILE_CACHE: join(data, 'v8') })
    terminal.minilab(
      'step 4; echo status=$?',
      isRoot ? 'setpriv --reuid 65534 --regid 65534 --clear-groups ' : '',
    )
    await terminal.shows('status=0')
    const screen = terminal.screen()
    expect(screen).not.toMatch(/^ +\? /m)
    expect(screen).not.toContain('checks hold')
    expect(screen).toMatch(/– none of the \d+ checks could be made here/)
    expect(screen.match(/limited here: /g)).toHaveLength(1)
    expect(screen.match(/for the same reason as above/g)).toHaveLength(4)
    const { remedy } = report!.limited[0]!
    expect(screen.replaceAll(/\s+/g, ' ').split(remedy)).toHaveLength(2)
    if (remedy.includes('sudo')) expect(screen.match(/sudo/g)).toHaveLength(1)
  })

  test('Ctrl-C at a prompt leaves cleanly, with status 130 and nothing behind', async () => {
    const data = userData()
    const terminal = new Terminal({ MINILAB_DATA: data })
    terminal.minilab('step 2; echo status=$?')
    await terminal.shows('What does it get?')
    terminal.key('C-c')
    await terminal.shows('status=130')
    expect(terminal.screen()).not.toMatch(/Error|^\s+at .*:\d+:\d+/m)
    expect(entries(join(data, 'ledger'))).toEqual([])
    expect(spawnSync('pgrep', ['-fx', '.*/bin.mjs step 2']).stdout.toString()).toBe('')
  })

  test('--keep holds the container until Enter, and Ctrl-C ends it too', async () => {
    const data = userData()
    const terminal = new Terminal({ MINILAB_DATA: data })
    terminal.minilab('step 1 --yes --keep; echo status=$?')
    await terminal.shows('Enter ends it.')
    terminal.key('Enter')
    await terminal.shows('status=0')
    terminal.minilab('step 1 --yes --keep; echo status=$?')
    await terminal.shows(/Enter ends it.[^]*Enter ends it./)
    terminal.key('C-c')
    await terminal.shows('status=130')
    expect(entries(join(data, 'ledger'))).toEqual([])
  })

  test("run -it: a terminal of its own, resized with ours, and Ctrl-C is the container's", async () => {
    const terminal = new Terminal({ MINILAB_DATA: userData() })
    terminal.minilab('run -it --rm -e PS1=inside# default sh; echo status=$?')
    await terminal.shows('inside#')
    terminal.type('tty; echo size $(stty size)')
    await terminal.shows('/dev/pts/0')
    await terminal.shows('size 40 100')
    terminal.resize(80, 30)
    await expect
      .poll(() => (terminal.type('echo size $(stty size)'), terminal.screen()), { timeout: 60_000 })
      .toContain('size 30 80')
    // a key that comes while the shell still edits its line would be the shell's
    terminal.type("sh -c 'echo begun; exec sleep 1000'; echo after=$?")
    await terminal.shows(/^begun/m)
    terminal.key('C-c')
    terminal.type('echo still here; exit 5')
    await terminal.shows(/^still here/m)
    await terminal.shows('status=5')
    // our own terminal is as it was: it echoes and edits lines again
    terminal.type('echo back again')
    await terminal.shows(/^back again/m)
  })

  test('run -it: stopped, and continued by a shell that has its own modes of the terminal, it has the keys again', async () => {
    const data = userData()
    const terminal = new Terminal({ MINILAB_DATA: data })
    terminal.type("PS1='bash: ' exec bash --norc --noprofile")
    await terminal.shows(/^bash:/m)
    terminal.minilab('run -it --rm --network none -e PS1=inside# default sh')
    await terminal.shows(/^inside#/m)
    const [{ pid }] = JSON.parse((await runMinilab(['ps', '--json'], { data })).stdout) as [{ pid: number }]
    process.kill(Number(status(pid).PPid), 'SIGSTOP')
    await terminal.shows('Stopped')
    terminal.type('fg')
    terminal.type("sh -c 'echo begun; exec sleep 1000'")
    await terminal.shows(/^begun/m)
    terminal.key('C-c')
    terminal.type('echo still here; exit 5')
    await terminal.shows(/^still here/m)
  })

  test('run, exec: a program gets our signals; Ctrl-C three times ends a container that ignores it', async () => {
    const terminal = new Terminal({ MINILAB_DATA: userData() })
    const heard = 'trap "echo heard; exit 9" INT; echo waiting; while :; do sleep 0.1; done'
    terminal.minilab(`run --rm --network none default sh -c '${heard}'; echo status=$?`)
    await terminal.shows(/^waiting/m)
    terminal.key('C-c')
    await terminal.shows('status=9')
    terminal.type('clear')
    const counted = 'trap "n=\\$((n+1)); echo counted \\$n" INT; echo begun; while :; do sleep 0.1; done'
    terminal.minilab(`run --rm --network none default sh -c '${counted}'; echo status=$?`)
    await terminal.shows(/^begun/m)
    for (const press of [1, 2]) {
      terminal.key('C-c')
      await terminal.shows(new RegExp(`counted ${press}$`, 'm')) // two that are pending at once are one: signal(7)
    }
    terminal.key('C-c')
    await terminal.shows('status=137')
  })

  test('run -it: when its window is closed the container ends, whatever runs in it', async () => {
    const data = userData()
    const terminal = new Terminal({ MINILAB_DATA: data })
    terminal.minilab('run -it --rm -e PS1=inside# default sh')
    await terminal.shows('inside#')
    terminal.type("sh -c 'echo begun; exec sleep 1000'")
    await terminal.shows(/^begun/m)
    const { stdout } = await runMinilab(['ps', '--json'], { data })
    const [{ pid }] = JSON.parse(stdout) as [{ pid: number }]
    expect(processExists(pid)).toBe(true)
    terminal.close()
    await expect.poll(() => processExists(pid), { timeout: 60_000 }).toBe(false)
    await expect.poll(() => readdirSync(join(data, 'ledger')), { timeout: 60_000 }).toEqual([])
    expect((await runMinilab(['ps', '-a', '--json'], { data })).stdout).toBe('[]\n')
  })

  test('exec -it joins with a second terminal', async () => {
    const terminal = new Terminal({ MINILAB_DATA: userData() })
    terminal.minilab('run -d --name box default sleep 1000')
    await terminal.shows(/\b[0-9a-f]{12}$/m)
    terminal.minilab('exec -it -e PS1=second# box sh; echo status=$?')
    await terminal.shows('second#')
    terminal.type('tty; echo $(stty size); exit 6')
    await terminal.shows(/^\/dev\/pts\/\d/m)
    await terminal.shows('40 100')
    await terminal.shows('status=6')
    terminal.minilab('rm -f box; echo removed=$?')
    await terminal.shows('removed=0')
  })

  test('a mutant: the difference, a prediction, what breaks, and how that was predicted', async () => {
    const terminal = new Terminal({ MINILAB_DATA: userData() })
    terminal.minilab('step 3 --mutant chroot')
    await terminal.shows('Which checks will see it?')
    expect(terminal.screen()).toMatch(/- pivot_root\("\.", "\."\)[^]*\+ chroot\("\."\)/)
    expect(terminal.screen()).toMatch(/pivot-holds: the same calls end at/)
    terminal.key('Space') // the first check is about the host's own chroot: it holds
    terminal.key('Enter')
    await terminal.shows('You predicted 0 of ')
    expect(terminal.screen()).toMatch(/✘ {2}the same calls end at the container's own root/)
    expect(terminal.screen()).toMatch(/checks see it, of[^]*^ +pivot-holds: the same calls end/m)
    await terminal.shows(/ready>\s*$/)
  })

  test('Ctrl-C at the prediction of a mutant ends it quietly', async () => {
    const terminal = new Terminal({ MINILAB_DATA: userData() })
    terminal.minilab('step 3 --mutant chroot; echo status $?')
    await terminal.shows('Which checks will see it?')
    terminal.key('C-c')
    await terminal.shows('status 130')
  })
})

const entries = (folder: string) => (existsSync(folder) ? readdirSync(folder) : [])
