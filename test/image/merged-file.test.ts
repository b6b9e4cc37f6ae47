// Files are looked up in a running container, too, which may change them in the meantime.
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readMerged } from '../../lib/image/merged-file.ts'
import { userFolder } from '../support/minilab.ts'

const LOOKS = 3000

test('a file that a link replaces, and the link it, again and again: each look finds its text', () => {
  const folder = userFolder()
  mkdirSync(join(folder, 'etc'))
  for (const name of ['real', 'passwd']) writeFileSync(join(folder, 'etc', name), 'text')
  // rename(2): at each moment there is one of both
  const script = `const fs = require('node:fs')
    for (;;) {
      fs.symlinkSync('real', 'new'); fs.renameSync('new', 'passwd')
      fs.writeFileSync('new', 'text'); fs.renameSync('new', 'passwd')
    }`
  const other = spawn(process.execPath, ['-e', script], { cwd: join(folder, 'etc'), stdio: 'ignore' })
  onTestFinished(() => void other.kill('SIGKILL'))
  const texts = new Set<string | undefined>()
  for (let look = 0; look < LOOKS; look++) texts.add(readMerged([folder], 'etc/passwd', 100))
  expect([...texts]).toEqual(['text'])
})
