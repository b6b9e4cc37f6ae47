import { createReadStream, existsSync, lstatSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { extract } from 'tar-stream'
import { certain } from '../../lib/common/certain.ts'
import type { Shell } from '../../lib/guide/step.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { type Mount, mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import type { Stack } from './step.ts'
import { counted } from '../../lib/guide/text.ts'

// What the checks of this chapter read: the containers' directories on the host, and mountinfo

export const upperOf = ({ folder }: { folder: string }) => join(folder, 'upper')

/** The path of an image's file: in the topmost layer that has it. */
export const below = ({ lower }: Pick<Stack, 'lower'>, path: string) =>
  join(lower.find(dir => existsSync(join(dir, path))) ?? certain(lower[0]), path)

/** The output of a command in a container. */
export const inside = async ({ shell }: { shell: Shell }, command: string) =>
  (await shell.run(command)).output.trim()
/** The output of `ls` in one line. */
export const inOneLine = (text: string) => text.replaceAll('\n', ' ') || '(empty)'
export const entries = (dir: string) => (existsSync(dir) ? readdirSync(dir) : [])
export const text = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '')

/** The mount that is a process's "/". */
export function rootMount(pid: number | 'self' = 'self'): Mount | undefined {
  return mountinfo(pid).findLast(m => m.target === '/')
}

/** The paths in an option of a mount, without their escapes; empty if there is no such option. */
export function directories(mount: Mount | undefined, option: 'lowerdir' | 'upperdir'): string[] {
  const value = mount?.superOptions.find(o => o.startsWith(`${option}=`))?.slice(option.length + 1) ?? ''
  const unescaped = value.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(parseInt(octal, 8)),
  )
  // only lowerdir has several paths, separated by colons; a colon in upperdir need not be escaped
  return (option === 'lowerdir' ? unescaped.split(/(?<!\\):/) : [unescaped])
    .filter(Boolean)
    .map(path => path.replace(/\\(.)/g, '$1'))
}

/** The content of a layer as lines: files, whiteouts and opaque directories, without the directories that only lead to them. */
export function contents(dir: string): string[] {
  if (!existsSync(dir)) return []
  return treeDigest(dir)
    .entries.filter(({ type, opaque }) => type !== 'directory' || opaque)
    .map(({ path }) => path)
}

/** How many files of the image the second container has in its own layer. */
export function copiesOf(scene: Stack): number {
  if (!scene.second) return 0
  return contents(upperOf(scene.second)).filter(path => existsSync(below(scene, path))).length
}

/** The image's layers that have changed since before the first container. */
export function changedLayers({ lower, before }: Stack): string[] {
  return lower.filter((dir, i) => treeDigest(dir).hash !== before[i])
}

/** What is at a path; a symbolic link is not followed. */
export function describe(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return 'nothing'
  return stat.isCharacterDevice()
    ? `character device ${stat.rdev >> 8}:${stat.rdev & 255}`
    : counted(stat.size, 'byte')
}

/** A list of paths: the first few, and how many more. */
export const some = (paths: readonly string[]) =>
  paths.length === 0
    ? '(empty)'
    : paths.slice(0, 6).join(' ') + (paths.length > 6 ? ` and ${paths.length - 6} more` : '')

/** A text with its digests shortened to their beginnings. */
export function short(hash = 'none'): string {
  return hash.replaceAll(/sha256:([0-9a-f]{6})[0-9a-f]*/g, '$1…')
}

/** The entries of a tar. */
export async function entriesOfTar(tar: string): Promise<{ name: string; type: string }[]> {
  const found: { name: string; type: string }[] = []
  for await (const entry of createReadStream('', { fd: openSync(tar, 'r') }).pipe(extract())) {
    found.push({ name: entry.header.name, type: entry.header.type ?? 'file' })
    entry.resume()
  }
  return found
}
