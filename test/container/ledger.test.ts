import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { isRoot, ORDINARY, userFolder } from '../support/minilab.ts'

const library = `${import.meta.dirname}/../../lib`
const PAGE = 4096

/** Runs code on a small tmpfs, which `fill` leaves so many bytes of; returns what it logged. */
function onSmallDisk(code: string): unknown {
  const script = `
    import { Ledger, ledgers, parse } from '${library}/container/ledger/ledger.ts'
    import { readFileSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
    const fill = left => writeFileSync('fill', Buffer.alloc(statfsSync('.').bavail * ${PAGE} - left))
    const refused = act => { try { act() } catch (error) { return error.code } }
    const entry = name => ({ kind: 'folder', path: process.cwd() + '/containers/' + name })
    ${code}`
  const mount = 'mount -t tmpfs -o size=64k none "$0" && cd "$0" && exec "$@"'
  const args = [
    '--mount',
    'sh',
    '-c',
    mount,
    userFolder('root'),
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ]
  return JSON.parse(execFileSync('unshare', args, { encoding: 'utf8' }))
}

test.skipIf(!isRoot)('a ledger that finds no room for its first line is not left behind', () => {
  const code = `
    const ledger = new Ledger('.')
    ledger.add(entry('x')) // so that the folder is there
    await ledger.settle()
    fill(0)
    const code = refused(() => ledger.add(entry('y')))
    console.log(JSON.stringify([code, ledgers('.'), await ledger.settle()]))`
  expect(onSmallDisk(code)).toEqual(['ENOSPC', [], []])
})

test.skipIf(!isRoot)('a line for which there is no room is not left in part, and the next one counts', () => {
  const code = `
    const ledger = new Ledger('.')
    ledger.add(entry('x'))
    fill(0)
    const code = refused(() => ledger.add(entry('y'.repeat(${2 * PAGE}))))
    truncateSync('fill', 0)
    ledger.add(entry('z'))
    const names = ledgers('.').flatMap(parse).map(({ path }) => path.slice(-1))
    console.log(JSON.stringify([code, names, readFileSync(ledger.path, 'utf8').split('\\n').length]))`
  expect(onSmallDisk(code)).toEqual(['ENOSPC', ['x', 'z'], 3])
})

test.skipIf(!isRoot)('what another process has open, and may not be read any more, is passed over', () => {
  const script = `
    import { heldByLiving } from '${library}/container/state/held-changes.ts'
    const unreadable = { pid: 1, fd: '0', target: '/x/ledger/1-1-abcdef12-0-1_1.jsonl' }
    console.log(JSON.stringify(heldByLiving('/nonexistent', [unreadable])))`
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    ...ORDINARY,
  })
  expect(JSON.parse(told)).toEqual([])
})
