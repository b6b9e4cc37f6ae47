import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { walk } from '../../lib/image/tree.ts'
import { isKind } from '../../lib/common/errors.ts'
import { changeProgress, readProgress } from '../../lib/labs/progress.ts'
import { resetFile } from '../../lib/labs/reset.ts'
import { openWorkspace } from '../../lib/labs/open-workspace.ts'
import { findWorkspace, initWorkspace } from '../../lib/labs/workspace.ts'
import { isRoot, runMinilab, userFolder, userData } from '../support/minilab.ts'
import { attempts } from './writer.ts'

const project = join(import.meta.dirname, '../..')
const LAB = { number: 3, name: 'root' }
const task = { first: 'x', last: 'x', attempts: 1, hints: 0 }

beforeEach(() => vi.stubEnv('MINILAB_WORKSPACE', undefined))
afterEach(() => vi.unstubAllEnvs())

const folder = () => join(realpathSync(userFolder()), 'lab')
const workspace = () => initWorkspace(folder()).workspace
const writer = (at: string, count: number) =>
  spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), at, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })

/** What a usage error says, in one line. */
function refusal(task: () => unknown): string {
  try {
    task()
  } catch (error) {
    if (isKind(error, 'usage')) return `${error.message}: ${error.remedy}`
    throw error
  }
  throw new Error('it was not refused')
}

describe('init', () => {
  test('makes a folder that an editor and Node know what to do with', () => {
    const { workspace, made } = initWorkspace(folder())
    expect(made).toContain('3-root.ts')
    expect(readFileSync(join(workspace.folder, '3-root.ts'))).toEqual(
      readFileSync(join(project, 'labs/3-root/start.ts')),
    )
    expect(JSON.parse(readFileSync(join(workspace.folder, 'progress.json'), 'utf8'))).toMatchObject({
      minilab: 1,
    })
    const hello =
      "import { CLONE_NEWNS } from 'minilab'\nconst flag: number = CLONE_NEWNS\nconsole.log(flag)\n"
    writeFileSync(join(workspace.folder, 'hello.ts'), hello)
    const told = execFileSync(process.execPath, [join(workspace.folder, 'hello.ts')], { encoding: 'utf8' })
    expect(told).toBe('131072\n')
  })

  test('the types of what a learner imports are known there, and their mistakes found', () => {
    const { folder: at } = workspace()
    const compile = () => spawnSync(join(project, 'node_modules/.bin/tsc'), ['-p', at], { encoding: 'utf8' })
    expect(compile()).toMatchObject({ stdout: '', status: 0 })
    const wrong =
      "import type { Tape } from 'minilab'\nexport const f = (tape: Tape) => tape.pivot_rot('.', '.')\n"
    writeFileSync(join(at, 'wrong.ts'), wrong)
    expect(compile().stdout).toMatch(/wrong\.ts.*Did you mean 'pivot_root'/)
  })

  test('twice: adds what is missing and changes nothing else', () => {
    const { folder: at } = workspace()
    writeFileSync(join(at, '3-root.ts'), '// mine')
    changeProgress({ folder: at }, progress => void (progress.tasks['3-root/pivot'] = task))
    rmSync(join(at, 'tsconfig.json'))
    rmSync(join(at, 'node_modules/minilab'))
    symlinkSync('/nowhere', join(at, 'node_modules/minilab')) // the checkout was moved
    expect(initWorkspace(at).made).toEqual(['tsconfig.json', 'node_modules/minilab'])
    expect(readlinkSync(join(at, 'node_modules/minilab'))).toBe(project)
    expect(readFileSync(join(at, '3-root.ts'), 'utf8')).toBe('// mine')
    expect(readProgress({ folder: at }).tasks).toEqual({ '3-root/pivot': task })
    expect(initWorkspace(at).made).toEqual([])
  })

  test('what cannot be a workspace is refused in a line, and untouched', () => {
    const at = folder()
    mkdirSync(at)
    writeFileSync(join(at, 'thesis.txt'), 'x')
    expect(refusal(() => initWorkspace(at))).toMatch(/holds other things \(thesis.txt\): name a new/)
    expect(readdirSync(at)).toEqual(['thesis.txt'])
    expect(refusal(() => initWorkspace(join(at, 'thesis.txt')))).toContain('is no directory')
    expect(refusal(() => initWorkspace(join(at, 'thesis.txt/below')))).toContain('is no directory')
    expect(refusal(() => initWorkspace('/proc/lab'))).toContain('cannot be made')
    writeFileSync(join(at, 'progress.json'), '{"percent": 3}')
    rmSync(join(at, 'thesis.txt'))
    expect(refusal(() => initWorkspace(at))).toContain('holds other things (progress.json)')
    expect(readFileSync(join(at, 'progress.json'), 'utf8')).toBe('{"percent": 3}')
  })

  test.runIf(isRoot)('where one may not write, it says so', async () => {
    const ran = await runMinilab(['init', join(realpathSync(userFolder('root')), 'lab')], {
      user: 'ordinary',
    })
    expect(ran).toMatchObject({ status: 2, stdout: '' })
    expect(ran.stderr).toMatch(/^minilab: [^\n]*cannot be written to with your rights: [^\n]+\n$/)
  })

  test('six at once make one workspace', async () => {
    const data = userData()
    const runs = Array.from({ length: 6 }, () => runMinilab(['init', join(data, 'lab')], { data }))
    for (const { status, stderr } of await Promise.all(runs))
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(initWorkspace(join(data, 'lab')).made).toEqual([])
    expect(readdirSync(join(data, 'lab')).filter(name => name.endsWith('.new'))).toEqual([])
  })
})

describe('its ./minilab', () => {
  const call = (script: string, args: string[], env: NodeJS.ProcessEnv = {}, cwd = '/') => {
    const { MINILAB_WORKSPACE, MINILAB_CALLED, ...others } = process.env
    return spawnSync(script, args, { cwd, encoding: 'utf8', env: { ...others, ...env } })
  }

  test('runs the minilab that made it, for this workspace, and texts name it as it was called', () => {
    const { folder: at } = workspace()
    const asked = call(join(at, 'minilab'), ['progress', '--json'])
    expect(asked).toMatchObject({ status: 0, stderr: '' })
    expect(JSON.parse(asked.stdout)).toMatchObject({ workspace: at })
    const inside = call('./minilab', ['progress', '--plain'], {}, at)
    expect(inside.stdout).toContain('Next: One window: its own name, in 2-namespaces.ts: ./minilab lab 2')
    expect(inside.stdout).toContain(at)
    // one that is named wins, as everywhere
    const { folder: other } = workspace()
    const named = call(join(at, 'minilab'), ['progress', '--json'], { MINILAB_WORKSPACE: other })
    expect(JSON.parse(named.stdout)).toMatchObject({ workspace: other })
    expect(call(join(at, 'minilab'), ['no-such']).status).toBe(2)
  })

  test('where that minilab is gone it says so in a line, and init by another one repairs it', () => {
    const { folder: at } = workspace()
    const path = join(at, 'minilab')
    const script = readFileSync(path, 'utf8')
    const gone = script.replace(project, "/no/it's gone")
    expect(gone).not.toBe(script)
    writeFileSync(path, gone.replace("it's", "it'\\''s"))
    const asked = call(path, ['lab', '1'])
    expect(asked).toMatchObject({ status: 3, stdout: '' })
    expect(asked.stderr).toMatch(
      /^minilab: \/no\/it's gone\/minilab is gone: install [^\n]+: minilab init \/\S+\n$/,
    )
    expect(initWorkspace(at).made).toEqual(['minilab'])
    expect(readFileSync(path, 'utf8')).toBe(script)
    writeFileSync(path, '#!/bin/sh\n# mine\n')
    expect(initWorkspace(at).made).toEqual([])
  })
})

describe('find', () => {
  test('from a folder in it upward, or beside it in mine/', () => {
    const lab = workspace()
    mkdirSync(join(lab.folder, 'a/b'), { recursive: true })
    expect(findWorkspace(join(lab.folder, 'a/b'))).toEqual(lab)
    expect(findWorkspace(lab.folder)).toEqual(lab)
    const above = realpathSync(userFolder())
    const { workspace: mine } = initWorkspace(join(above, 'mine'))
    expect(findWorkspace(above)).toEqual(mine)
  })

  test('MINILAB_WORKSPACE wins; where it is none, that is said', () => {
    const [lab, other] = [workspace(), workspace()]
    vi.stubEnv('MINILAB_WORKSPACE', other.folder)
    expect(findWorkspace(lab.folder)).toEqual(other)
    expect(openWorkspace()).toEqual(other)
    vi.stubEnv('MINILAB_WORKSPACE', '/nowhere')
    expect(findWorkspace(lab.folder)).toBeUndefined()
    expect(refusal(openWorkspace)).toContain('minilab init /nowhere')
  })

  test('a symbolic link to it leads to it', () => {
    const lab = workspace()
    const link = join(userFolder(), 'link')
    symlinkSync(lab.folder, link)
    expect(findWorkspace(link)).toEqual(lab)
  })

  test("another program's progress.json makes no workspace", () => {
    const at = folder()
    mkdirSync(at)
    writeFileSync(join(at, 'progress.json'), '{"percent": 3}')
    expect(findWorkspace(at)?.folder).not.toBe(at)
  })

  test.runIf(isRoot)("a stranger's is not opened unless it is named", () => {
    const { folder: at } = workspace()
    chownSync(at, 4321, 4321)
    expect(refusal(() => findWorkspace(at))).toMatch(/another user's: .*MINILAB_WORKSPACE/)
    vi.stubEnv('MINILAB_WORKSPACE', at)
    expect(findWorkspace()).toEqual({ folder: at })
  })
})

describe('progress.json', () => {
  test('what a newer lab or another program has put there stays', () => {
    const { folder: at } = workspace()
    const document = {
      minilab: 1,
      note: 'my own',
      tasks: { '8-future/x': { ...task, colour: 'red' } },
      predictions: {},
    }
    writeFileSync(join(at, 'progress.json'), JSON.stringify(document))
    changeProgress({ folder: at }, progress => void (progress.tasks['3-root/pivot'] = task))
    expect(JSON.parse(readFileSync(join(at, 'progress.json'), 'utf8'))).toEqual({
      ...document,
      tasks: { ...document.tasks, '3-root/pivot': task },
    })
  })

  test.each([
    ['{"minilab": 1, "tasks": {', 'is damaged: '],
    ['[]', 'is damaged: '],
    ['{"minilab": 1, "tasks": [], "predictions": {}}', 'is damaged: '],
    ['{"minilab": 1, "tasks": {"a/b": {"attempts": -1}}, "predictions": {}}', 'is damaged: '],
    ['{"minilab": 2, "levels": 3}', 'was written by a newer minilab: '],
  ])('%s is not overwritten', (text, line) => {
    const lab = workspace()
    const path = join(lab.folder, 'progress.json')
    writeFileSync(path, text)
    expect(refusal(() => readProgress(lab))).toContain(line)
    expect(refusal(() => changeProgress(lab, () => {}))).toContain(line)
    if (text !== '[]') expect(initWorkspace(lab.folder).made).toEqual([])
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  test('an empty file is a new beginning', () => {
    const lab = workspace()
    writeFileSync(join(lab.folder, 'progress.json'), '')
    expect(findWorkspace(lab.folder)).toEqual(lab)
    expect(changeProgress(lab, () => {})).toEqual({ minilab: 1, tasks: {}, predictions: {} })
  })

  test('four writers at once lose nothing', async () => {
    const lab = workspace()
    const writers = Array.from({ length: 4 }, () => writer(lab.folder, 50))
    for (const child of writers) child.stdout.resume()
    expect(await Promise.all(writers.map(child => once(child, 'exit')))).toEqual(Array(4).fill([0, null]))
    expect(attempts(readProgress(lab))).toBe(200)
  })

  test('kill -9 in the middle of 200 writes: the file is whole, and has all that was said to be written', async () => {
    const lab = workspace()
    let before = 0
    for (const enough of [1, 7, 23, 61]) {
      const child = writer(lab.folder, 200)
      const exit = once(child, 'exit')
      let said = 0
      for await (const line of createInterface(child.stdout)) {
        said = Number(line)
        if (said === enough) child.kill('SIGKILL')
      }
      expect((await exit)[1]).toBe('SIGKILL')
      const now = attempts(readProgress(lab))
      expect(now - before).toBeGreaterThanOrEqual(said)
      before = now
    }
    changeProgress(lab, () => {})
    expect(readdirSync(lab.folder).filter(name => name.includes('.new'))).toEqual([])
  })
})

describe('reset', () => {
  test('puts the start file back, and keeps every version', () => {
    const lab = workspace()
    const file = join(lab.folder, '3-root.ts')
    const start = readFileSync(file, 'utf8')
    expect(resetFile(lab, LAB)).toBeUndefined()
    writeFileSync(file, '// first')
    expect(resetFile(lab, LAB)).toBe('3-root.before-reset.ts')
    writeFileSync(file, '// second')
    expect(resetFile(lab, LAB)).toBe('3-root.before-reset-2.ts')
    expect(readFileSync(file, 'utf8')).toBe(start)
    expect(readFileSync(join(lab.folder, '3-root.before-reset.ts'), 'utf8')).toBe('// first')
    expect(readFileSync(join(lab.folder, '3-root.before-reset-2.ts'), 'utf8')).toBe('// second')
    rmSync(file)
    expect(resetFile(lab, LAB)).toBeUndefined()
    expect(readFileSync(file, 'utf8')).toBe(start)
  })

  test('by command', async () => {
    const { folder: at } = workspace()
    const env = { MINILAB_WORKSPACE: at }
    writeFileSync(join(at, '3-root.ts'), '// first')
    const ran = await runMinilab(['reset', '3'], { env })
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    expect(ran.stdout).toContain('3-root.before-reset.ts')
    writeFileSync(join(at, '3-root.ts'), '// second')
    writeFileSync(join(at, '5-layers.ts'), '// third')
    const asked = await runMinilab(['reset', 'all'], { env })
    expect(asked).toMatchObject({ status: 2, stdout: '' })
    expect(asked.stderr).toContain('minilab reset all --yes')
    expect(readFileSync(join(at, '3-root.ts'), 'utf8')).toBe('// second')
    const all = await runMinilab(['reset', 'all', '--yes'], { env })
    expect(all).toMatchObject({ status: 0, stderr: '' })
    expect(readFileSync(join(at, '3-root.before-reset-2.ts'), 'utf8')).toBe('// second')
    expect(readFileSync(join(at, '5-layers.before-reset.ts'), 'utf8')).toBe('// third')
    for (const lab of ['3-root', '5-layers'])
      expect(readFileSync(join(at, `${lab}.ts`))).toEqual(readFileSync(join(project, `labs/${lab}/start.ts`)))
    const wrong = await runMinilab(['reset', 'rot'], { env })
    expect(wrong).toMatchObject({ status: 2, stderr: 'minilab: there is no lab "rot": did you mean root?\n' })
  })
})

describe('minilab progress', () => {
  test('shows each task, the hints, and what is next', async () => {
    const lab = workspace()
    changeProgress(lab, progress => {
      progress.tasks['3-root/jail'] = { ...task, passed: 'x', hints: 2 }
      progress.tasks['3-root/break-out'] = { ...task, failing: { check: 'escape', diagnosis: 'no' } }
    })
    const env = { MINILAB_WORKSPACE: lab.folder }
    const { stdout, stderr } = await runMinilab(['progress', '--plain'], { env })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/3 {2}root +✔ ✘ ·.* 1 of \d+ {3}2 hints/)
    const { json } = await runMinilab(['progress', '--json'], { env })
    expect(json()).toMatchObject([{ workspace: lab.folder, hints: 2, tasks: { passed: 1 } }])
  })
})

describe.runIf(isRoot)('what root makes', () => {
  /** The owners of a folder and of everything in it. */
  const owners = (at: string) =>
    new Set([statSync(at).uid, ...Array.from(walk(at), ({ stat }) => Number(stat.uid))])

  test("by sudo is the invoking user's", async () => {
    const env = { SUDO_UID: '1000', SUDO_GID: '1000' }
    const at = join(realpathSync(userFolder('root')), 'new/lab')
    await runMinilab(['init', at], { user: 'root', env })
    expect(owners(join(at, '..'))).toEqual(new Set([1000]))
    writeFileSync(join(at, '3-root.ts'), '// root wrote this')
    rmSync(join(at, 'tsconfig.json'))
    vi.stubEnv('SUDO_UID', '1000')
    vi.stubEnv('SUDO_GID', '1000')
    const lab = findWorkspace(at)!
    changeProgress(lab, progress => void (progress.tasks['3-root/pivot'] = task))
    resetFile(lab, LAB)
    initWorkspace(at)
    expect(owners(at)).toEqual(new Set([1000]))
    expect(statSync(join(at, 'progress.json')).gid).toBe(1000)
  })

  test("by sudo in a folder of root's stays root's", async () => {
    const env = { SUDO_UID: '1000', SUDO_GID: '1000' }
    const at = realpathSync(userFolder('root'))
    await runMinilab(['init', at], { user: 'root', env, data: userData('root') })
    expect(owners(at)).toEqual(new Set([0]))
  })

  test("in another user's checkout is that user's, and mine/ is made there when it is first needed", async () => {
    const checkout = join(realpathSync(userFolder('root')), 'minilab')
    mkdirSync(checkout)
    for (const name of ['bin.mjs', 'package.json', 'lib', 'book', 'chapters', 'labs'])
      cpSync(join(project, name), join(checkout, name), { recursive: true })
    symlinkSync(join(project, 'node_modules'), join(checkout, 'node_modules'))
    chownSync(checkout, 1000, 1000)
    const options = { cwd: '/', encoding: 'utf8', env: { ...process.env, SUDO_UID: '' } } as const
    const ran = spawnSync(process.execPath, [join(checkout, 'bin.mjs'), 'progress', '--json'], options)
    expect(ran).toMatchObject({ stderr: '', status: 0 })
    expect(JSON.parse(ran.stdout)).toMatchObject({ workspace: join(checkout, 'mine') })
    expect(owners(join(checkout, 'mine'))).toEqual(new Set([1000]))
    expect(readlinkSync(join(checkout, 'mine/node_modules/minilab'))).toBe('../..')
    expect(existsSync(join(checkout, 'mine/node_modules/minilab/bin.mjs'))).toBe(true)
    // who may not write there needs a folder of their own
    const other = spawnSync(process.execPath, [join(checkout, 'bin.mjs'), 'progress'], {
      ...options,
      uid: 65534,
      gid: 65534,
    })
    expect(other).toMatchObject({ stdout: '', status: 2 })
    expect(other.stderr).toMatch(
      /^minilab: there is no workspace here or above: minilab init DIR makes one\n$/,
    )
  })
})
