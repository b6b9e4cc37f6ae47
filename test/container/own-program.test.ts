import { execFileSync } from 'node:child_process'
import { accessSync, chownSync, constants, copyFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeTree, type Plan, planHostFile } from '../../lib/image/plan.ts'
import { planLibraries } from '../../lib/image/programs.ts'
import { type UserName, users, userData } from '../support/minilab.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const SLEEP = '/bin/sleep'

// what runs it is our own program, in the container: would the kernel let it write to the file? It only asks
const SCRIPT = `#!/proc/self/exe
const fs = require('node:fs')
try { fs.accessSync('/proc/self/exe', fs.constants.W_OK); console.log('writable') } catch (error) { console.log(error.code) }
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
  const minilab = (...args: string[]) =>
    execFileSync(node, [ENTRY, ...args], {
      encoding: 'utf8',
      uid,
      gid,
      env: { ...process.env, HOME: data, MINILAB_DATA: data },
    }).trim()
  return { node, tree, minilab }
}

describe.each(users)('as %s', user => {
  test('our own program, started in a container, lies on a read-only mount', { timeout: 60_000 }, () => {
    const { node, tree, minilab } = prepare(user)
    accessSync(node, constants.W_OK)
    expect(minilab('run', '--rm', tree, '/entry.js')).toBe('EROFS')
    expect(minilab('run', '--rm', '--network', 'none', tree, '/entry.js')).toBe('EROFS')

    minilab('run', '-d', '--name', 'sleeper', tree, SLEEP, '1000')
    try {
      expect(minilab('exec', 'sleeper', '/entry.js')).toBe('EROFS')
    } finally {
      minilab('rm', '-f', 'sleeper')
    }
  })
})
