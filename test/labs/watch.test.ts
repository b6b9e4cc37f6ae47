import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readProgress } from '../../lib/labs/progress.ts'
import { isRoot } from '../support/minilab.ts'
import { noTmux, Terminal } from '../support/terminal.ts'
import { LABS, newLearner, solution } from './support.ts'

describe.skipIf(noTmux)(`watch${noTmux}`, () => {
  const begin = async () => {
    const learner = await newLearner()
    return {
      learner,
      terminal: new Terminal({ MINILAB_WORKSPACE: learner.folder, MINILAB_DATA: learner.data }),
    }
  }
  const keys = 'h hint · d diff'

  test('checks again on each save, listens to keys, and goes nowhere by itself', async () => {
    const { learner, terminal } = await begin()
    terminal.minilab('watch 3')
    await terminal.shows('0 of 6 tasks')
    await terminal.shows(keys)
    terminal.key('h')
    await terminal.shows('1/3')
    expect(terminal.screen()).not.toContain('2/3')
    terminal.key('h')
    await terminal.shows('2/3')
    // what is pasted is no key, with brackets around it or without
    learner.write('3-root.ts', 'export {}\n')
    await terminal.shows('exports no')
    terminal.paste('xx\nconst hash = 1\nq')
    terminal.paste('xx', { brackets: false })
    terminal.key('t')
    await terminal.shows('Put a process into a directory')
    expect(terminal.screen()).not.toMatch(/3\/3|Press x/)
    expect(readFileSync(join(learner.folder, '3-root.ts'), 'utf8')).toBe('export {}\n')

    learner.write('3-root.ts', solution('3-root').replace("    tape.umount2('.', MNT_DETACH)\n", ''))
    await terminal.shows('was forgotten after')
    terminal.key('d')
    await terminal.shows(/in the child[^]*the reference[^]*MNT_DETACH[^]*h hint/)

    // as editors do: a new file in the place of the old
    writeFileSync(join(learner.folder, '3-root.tmp'), solution('3-root'))
    renameSync(join(learner.folder, '3-root.tmp'), join(learner.folder, '3-root.ts'))
    await terminal.shows('all 6 tasks')
    await terminal.shows(keys)
    expect(terminal.screen()).toContain('Lab 3')
    terminal.key('l')
    await terminal.shows(/✔ 3 {2}root +6 of 6/)

    terminal.key('x')
    await terminal.shows('Press x again')
    terminal.key('x')
    await terminal.shows('kept as 3-root.before-reset.ts')
    expect(readFileSync(join(learner.folder, '3-root.before-reset.ts'), 'utf8')).toBe(solution('3-root'))
    expect(readFileSync(join(learner.folder, '3-root.ts'), 'utf8')).toBe(
      readFileSync(join(LABS, '3-root/start.ts'), 'utf8'),
    )
    terminal.key('n')
    await terminal.shows('Lab 7')
    await terminal.quit()
    expect(readdirSync(join(learner.data, 'containers'))).toEqual([])
  })

  test('keys are answered while the code runs without end, and a save or q ends it', async () => {
    const learner = await newLearner()
    // long enough that nothing else ends the loop
    const patient = { MINILAB_PATIENCE: '600000', MINILAB_TRIAL_LIMIT: '600000' }
    const env = { MINILAB_WORKSPACE: learner.folder, MINILAB_DATA: learner.data, ...patient }
    const terminal = new Terminal(env)
    learner.write('3-root.ts', "console.log('round and round')\nfor (;;);\n")
    terminal.minilab('watch 3')
    await terminal.shows('checking lab 3')
    terminal.key('h')
    await terminal.shows('1/3')
    terminal.key('v')
    await terminal.shows('The check is still running.')
    terminal.key('d')
    await terminal.shows('comparing')
    terminal.key('t')
    await terminal.shows('Put a process into a directory')

    learner.write('3-root.ts', solution('3-root'))
    await terminal.shows('all 6 tasks')
    terminal.key('d')
    await terminal.shows('the same calls in the same order')
    learner.write('3-root.ts', 'for (;;);\n')
    await terminal.shows('checking lab 3')
    terminal.key('n')
    await terminal.shows('Lab 2')
    await terminal.quit()
    expect(readdirSync(join(learner.data, 'containers'))).toEqual([])
    // what was ended is no attempt
    expect(Object.values(readProgress(learner).tasks).map(({ attempts }) => attempts)).toEqual([
      0, 0, 0, 0, 0, 0,
    ])
  })

  test('a check that ends while something else is looked at is told of, and v shows it', async () => {
    const { learner, terminal } = await begin()
    learner.write('3-root.ts', solution('3-root'))
    terminal.minilab('watch 3')
    await terminal.shows('checking lab 3')
    terminal.key('l')
    await terminal.shows('lab 3 is checked: v shows it')
    expect(terminal.screen()).toMatch(/4 {2}limits +0 of 5/)
    terminal.key('v')
    await terminal.shows('all 6 tasks')
    await terminal.quit()
  })

  test('a window of another size has the same picture, in its width', async () => {
    const { learner, terminal } = await begin()
    learner.write('3-root.ts', solution('3-root').replace("    tape.umount2('.', MNT_DETACH)\n", ''))
    terminal.minilab('watch 3')
    await terminal.shows('was forgotten after')
    await terminal.shows('q quit')
    for (const columns of [60, 40, 100]) {
      terminal.resize(columns, 60)
      const wide = new RegExp(`^━━ Lab 3 · root ━{${Math.min(88, columns) - 16}}$`, 'm')
      await terminal.shows(wide)
      await terminal.shows(/h hint[^]*q quit/)
      const screen = terminal.screen()
      expect(screen.match(/━━ Lab 3/g)).toHaveLength(1)
      for (const line of screen.split('\n')) expect(line.trimEnd().length).toBeLessThanOrEqual(columns)
    }
    await terminal.quit()
  })

  test('reset all asks once, and no is what Enter says', async () => {
    const { learner, terminal } = await begin()
    learner.write('2-namespaces.ts', '// mine')
    terminal.minilab('reset all')
    await terminal.shows('Put back the start files of all 7 labs?')
    terminal.key('Enter')
    await terminal.shows('Nothing was reset.')
    expect(readFileSync(join(learner.folder, '2-namespaces.ts'), 'utf8')).toBe('// mine')
    terminal.minilab('reset all')
    await terminal.shows(/was reset\.[^]*of all 7 labs\?/)
    terminal.key('y')
    terminal.key('Enter')
    await terminal.shows('kept as 2-namespaces.before-reset.ts')
    await terminal.shows('hints begin again')
  })

  // as on folders that are shared into a VM: nothing tells of a save. Only root may set that limit for a namespace
  test.skipIf(!isRoot)('notices a save where inotify gives nothing', async () => {
    const { learner, terminal } = await begin()
    terminal.type(
      'unshare -Ur sh -c \'echo 0 > /proc/sys/user/max_inotify_instances && PS1="few> " exec sh -i\'',
    )
    await terminal.shows(/^few> /m)
    terminal.minilab('watch 3')
    await terminal.shows(keys)
    learner.write('3-root.ts', solution('3-root'))
    await terminal.shows('all 6 tasks')
    await terminal.quit('C-c', /few>\s*$/)
  })
})
