import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** a data folder of each user's with the default image, to be copied: userData in minilab.ts */
    images: { root: string; ordinary: string }
  }
}

const STORE = join(import.meta.dirname, '../../lib/image/store.ts')
const MAKE = `await (await import(${JSON.stringify(STORE)})).findImage('default')`

/** Before all tests: makes the default image once for each user. To make it takes as long as a test. */
export default function setup(project: TestProject): () => void {
  const isRoot = process.geteuid?.() === 0
  const made: string[] = []
  const make = (user: { uid?: number; gid?: number }): string => {
    const folder = mkdtempSync(join(tmpdir(), 'minilab-test-image-'))
    made.push(folder)
    chmodSync(folder, 0o755)
    if (user.uid !== undefined) chownSync(folder, user.uid, user.gid ?? user.uid)
    execFileSync(process.execPath, ['--input-type=module', '-e', MAKE], {
      ...user,
      cwd: '/',
      env: { ...process.env, HOME: folder, MINILAB_DATA: folder },
    })
    return folder
  }
  const own = make({})
  project.provide('images', { root: own, ordinary: isRoot ? make({ uid: 65534, gid: 65534 }) : own })
  return () => made.forEach(folder => rmSync(folder, { recursive: true, force: true }))
}
