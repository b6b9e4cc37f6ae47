import { spawnSync } from 'node:child_process'
import { chownSync, copyFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeTree, type Plan, planHostFile } from '../../lib/image/plan.ts'
import { planLibraries } from '../../lib/image/programs.ts'
import { type UserName, users, userData } from '../support/minilab.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const SLEEP = '/bin/sleep'

// CVE-2019-5736: if our own program ran it, in the container, it would say so
const SCRIPT = `#!/proc/self/exe
console.log('Node runs here')
`

/** A root file system in which our own program can run, and `minilab` on a Node that belongs to the user. */
function prepare(user: UserName) {
  const data = userData(user)
  const { uid, gid } = statSync(data)
  const [node, tree] = [join(data, 'node'), join(data, 'tree')]
  copyFileSync(process.execPath, node)
  const plan: Plan = new Map()
  for (const program of [process.execPath, SLEEP]) planLibraries(plan, program)
  planHostFile(plan, SLEEP)
  makeTree(plan, tree)
  writeFileSync(join(tree, 'entry.js'), SCRIPT, { mode: 0o755 })
  for (const path of [node, tree]) chownSync(path, uid, gid)
  const minilab = (...args: string[]) => {
    const env = { ...process.env, HOME: data, MINILAB_DATA: data }
    const { status, stdout, stderr } = spawnSync(node, [ENTRY, ...args], { encoding: 'utf8', uid, gid, env })
    return { status, stdout, stderr }
  }
  return { node, tree, minilab }
}

describe.each(users)('as %s', user => {
  test('what a container can start as /proc/self/exe is not our own program', { timeout: 60_000 }, () => {
    const { node, tree, minilab } = prepare(user)
    const before = statSync(node)
    const nothing = { status: 127, stdout: '', stderr: 'exec /proc/self/exe: no such file or directory\n' }
    expect(minilab('run', '--rm', tree, '/entry.js')).toEqual(nothing)
    expect(minilab('run', '--rm', '--network', 'none', tree, '/entry.js')).toEqual(nothing)

    expect(minilab('run', '-d', '--name', 'sleeper', tree, SLEEP, '1000')).toMatchObject({ status: 0 })
    try {
      expect(minilab('exec', 'sleeper', '/entry.js')).toEqual(nothing)
    } finally {
      minilab('rm', '-f', 'sleeper')
    }
    expect(statSync(node)).toMatchObject({ ino: before.ino, size: before.size, mtimeMs: before.mtimeMs })
  })
})
