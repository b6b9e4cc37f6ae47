import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LanguageServer } from '../support/language-server.ts'
import { newLearner, solution } from './support.ts'

test('an editor knows each call: it completes `tape.`, and shows the line of its man page', async () => {
  const learner = await newLearner()
  learner.write('3-root.ts', solution('3-root'))
  const server = new LanguageServer(learner.folder)
  onTestFinished(() => server.close())
  const behind = await server.open(join(learner.folder, '3-root.ts'))
  const hover = await server.request('textDocument/hover', behind('tape.pivot_root'))
  expect(JSON.stringify(hover)).toContain('pivot_root(2): swap the root mount')
  const { items } = (await server.request('textDocument/completion', behind('tape.'))) as {
    items: { label: string }[]
  }
  const labels = items.map(({ label }) => label)
  for (const call of ['mount', 'umount2', 'chroot', 'attempt']) expect(labels).toContain(call)
})
