// Output that cannot be written: one line says so, and the exit status.
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { makeUserFolder, self, sharedData } from '../support/minilab.ts'
import { removeTree } from '../../lib/image/tree.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const data = sharedData()[self]
const workspace = join(makeUserFolder(self), 'workspace')
beforeAll(() => {
  execFileSync(process.execPath, ['--', ENTRY, 'init', workspace], { stdio: 'ignore' })
  return () => removeTree(join(workspace, '..'))
})

/** Runs minilab with a full disk as its stdout, and as its stderr too where that is said. */
function onFullDisk(words: string, stderrToo = false) {
  const full = openSync('/dev/full', 'w')
  onTestFinished(() => closeSync(full))
  const args = ['--', ENTRY, ...words.split(' ').filter(Boolean)]
  const { status, signal, stderr } = spawnSync(process.execPath, args, {
    stdio: ['ignore', full, stderrToo ? full : 'pipe'],
    encoding: 'utf8',
    cwd: workspace,
    env: { ...process.env, MINILAB_DATA: data, MINILAB_WORKSPACE: workspace },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  return { status, signal, stderr }
}

describe('on a full disk', () => {
  test.each([
    ['', 3],
    ['--version', 3],
    ['--help', 3],
    ['run --help', 125],
    ['doctor', 3],
    ['doctor --json', 3],
    ['book', 3],
    ['book --serve --port 0', 3],
    ['view --port 0', 3],
    ['step 1 --yes --plain', 3],
    ['step 1 --json', 3],
    ['step 2 --dry-run', 3],
    ['ps --json', 3],
    ['lab 1', 3],
    ['check 1', 3],
    ['progress', 3],
    ['report --json', 3],
    ['run --network none default echo x', 125],
  ])('minilab %s', (words, status) => {
    expect(onFullDisk(words)).toEqual({
      status,
      signal: null,
      stderr: expect.stringMatching(/^minilab: cannot write to stdout: ENOSPC: [^\n]+\n$/) as string,
    })
  })

  test.each([
    ['ps', 3],
    ['stpe', 2],
    ['step 1 --yes --plain', 3],
    ['exec nix true', 125],
  ])('nor can it be said: minilab %s', (words, status) => {
    expect(onFullDisk(words, true)).toMatchObject({ status, signal: null })
  })
})
