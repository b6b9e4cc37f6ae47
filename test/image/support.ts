import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, createWriteStream, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Header, pack } from 'tar-stream'
import { onTestFinished } from 'vitest'
import { removeTree } from '../../lib/image/tree.ts'
import { modesOf } from '../support/minilab.ts'

/** Who a test runs as: whoever runs the tests, and beside root an ordinary user. */
export interface User {
  uid: number
  gid: number
}
export const me: User = { uid: process.getuid!(), gid: process.getgid!() }
export const ordinary: User = me.uid === 0 ? { uid: 65534, gid: 65534 } : me
export const users: [name: string, user: User][] = modesOf(
  me.uid === 0
    ? [
        ['root', me],
        ['an ordinary user', ordinary],
      ]
    : [['an ordinary user', me]],
)

const lib = join(import.meta.dirname, '../../lib/image')

/** A folder of the user's, removed after the test. */
export function folder(user = me): string {
  const dir = mkdtempSync(join(tmpdir(), 'minilab-image-'))
  onTestFinished(() => removeTree(dir))
  chmodSync(dir, 0o755)
  chownSync(dir, user.uid, user.gid)
  return dir
}

/**
 * Runs the body of an async function in a Node of the user's, with the exports of lib/image/* at hand; returns what the
 * body returns. `wrapper` is a command in front of Node, such as unshare.
 */
export function run<T>(
  user: User,
  body: string,
  { data = '', wrapper = [] }: { data?: string; wrapper?: string[] } = {},
): T {
  const modules = ['default', 'layer', 'store', 'tree-digest', 'tree', 'image', 'data-folder']
  const script = `
    import fs from 'node:fs'
    const modules = await Promise.all(${JSON.stringify(modules)}.map(name => import('${lib}/' + name + '.ts')))
    const lib = Object.assign({}, ...modules)
    const value = await (async () => { ${body} })().catch(error => ({ error: error.kind ?? error.name, message: error.message, remedy: error.remedy }))
    fs.writeSync(1, JSON.stringify(value ?? null))`
  const [command, ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', script]
  const { uid, gid } = user
  const env = { ...process.env, MINILAB_DATA: data, NODE_OPTIONS: '' }
  const child = spawnSync(command, args, {
    encoding: 'utf8',
    cwd: '/',
    env,
    ...(uid === me.uid ? {} : { uid, gid }),
  })
  if (child.status !== 0) throw new Error(`exit ${child.status}: ${child.stderr}`)
  return JSON.parse(child.stdout) as T
}

/** Runs a shell script as the user and returns what it says; a failure of any of its commands is an error. */
export function shell(user: User, script: string, wrapper: string[] = []): string {
  const [command, ...args] = [...wrapper, '/bin/sh', '-ec', script]
  const { uid, gid } = user
  const child = spawnSync(command, args, { encoding: 'utf8', ...(uid === me.uid ? {} : { uid, gid }) })
  if (child.status !== 0) throw new Error(`exit ${child.status}: ${child.stderr}`)
  return child.stdout
}

/** Why the user cannot run tests here, perhaps under a command such as unshare; undefined where it can. */
export function hindrance(user: User, wrapper: string[] = []): string | undefined {
  const key = [user.uid, ...wrapper].join(' ')
  if (!hindrances.has(key)) hindrances.set(key, findHindrance(user, wrapper))
  return hindrances.get(key)
}

const hindrances = new Map<string, string | undefined>()

function findHindrance(user: User, wrapper: string[]): string | undefined {
  try {
    run(user, 'return 1', { wrapper })
    return undefined
  } catch (error) {
    const lines = String(error).split('\n')
    return lines.find(line => /EACCES|denied|unshare|permitted/.test(line)) ?? lines[0]
  }
}

export type TarEntry = Partial<Header> & {
  name: string
  content?: string | Buffer
  pax?: Record<string, string>
}

/** Writes a tar with exactly these entries, in this order. */
export async function writeTar(path: string, entries: TarEntry[]): Promise<void> {
  const tar = pack()
  const written = pipeline(tar as unknown as AsyncIterable<Buffer>, createWriteStream(path))
  for (const { content = '', ...header } of entries) {
    if (header.type && !['file', 'contiguous-file'].includes(header.type)) tar.entry(header)
    else
      await new Promise((done, failed) =>
        tar.entry(header, content, error => (error ? failed(error) : done(null))),
      )
  }
  tar.finalize()
  await written
}
