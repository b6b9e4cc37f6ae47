// What a command loads, counted, as in test/cli/start-up.test.ts: an engine starts one for each thing it wants.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ENTRY = join(import.meta.dirname, '../../oci.mjs')
/** Notes modules as they are loaded, and loads none. */
const NOTE = `data:text/javascript,${encodeURIComponent(`
  const { registerHooks } = process.getBuiltinModule('module')
  const urls = []
  registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
  process.on('exit', () => {
    const all = JSON.stringify({ urls, builtin: process.moduleLoadList })
    process.getBuiltinModule('fs').writeSync(1, all)
  })`)}`

test.each([
  ['create', 155],
  ['start', 17],
  ['state', 15],
  ['kill', 16],
  ['delete', 17],
])('%s loads few modules', (command, most) => {
  const { stdout } = spawnSync(
    process.execPath,
    ['--no-warnings', '--import', NOTE, ENTRY, '--root', '/nowhere', command, 'x'],
    { encoding: 'utf8' },
  )
  const { urls, builtin } = JSON.parse(stdout) as { urls: string[]; builtin: string[] }
  expect(urls.filter(url => url.endsWith('.ts')).length).toBeLessThanOrEqual(most)
  expect(builtin).not.toContain('NativeModule child_process')
  // what an ordinary import of node:fs or node:util would load
  if (command !== 'create') expect(builtin).not.toContain('NativeModule internal/streams/readable')
  expect(builtin).not.toContain('NativeModule internal/fs/promises')
})
