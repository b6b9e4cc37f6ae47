import { createReadStream, existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack as tarPack, type Pack } from 'tar-stream'
import { certain } from '../common/certain.ts'
import { DEFAULT_IMAGE } from '../image/default.ts'
import { makeScratch } from '../image/layer-store.ts'
import { PACKED, packedImage, writePackedImage } from '../image/packed.ts'
import { findImage } from '../image/store.ts'
import { removeTree, walk } from '../image/tree.ts'
import { readImage } from '../image/image.ts'
import { MinilabError } from '../common/errors.ts'
import { codeFolder, isCheckout } from '../common/own-folder.ts'
import { writeWhole } from './whole-file.ts'

/** The files of a checkout that learners need: no tests, and nothing from `mine`. */
const SOURCES = `
  .npmrc CHANGELOG.md CONTRIBUTING.md LICENSE README.md bin.mjs book chapters labs lib minilab minilab-oci oci.mjs package-lock.json package.json tsconfig.json
`
  .trim()
  .split(/\s+/)

/** The files that are needed from a Node package: leaves out 70 MB of headers and changelogs. */
const OF_NODE = /^(bin|bin\/node|package\.json|LICENSE|)$/

/** npm writes this file last, and the launcher takes it to mean that everything is installed: so it is the archive's last entry too. */
const INSTALLED = 'node_modules/.package-lock.json'

/** One file of the archive: its name there, and its path here or its content. */
interface Entry {
  name: string
  from: string | Buffer
}

/** What was packed. */
export interface Packed {
  /** the folder that the archive unpacks to */
  folder: string
  /** the architectures of the included Nodes, as process.arch */
  archs: string[]
  files: number
}

/**
 * Packs this checkout with everything that it needs on a machine without network and npm: packages, Node, the default image.
 * The same input gives the same bytes: names sorted, one time, owner root. `file` appears only when it is complete. Throws a
 * usage error if this is no checkout, a MinilabError (machine) for lack of room or rights.
 */
export async function packClass(file: string, version: string): Promise<Packed> {
  if (!isCheckout || !existsSync(join(codeFolder, INSTALLED)))
    throw new MinilabError(
      'usage',
      `${codeFolder} is no checkout with its packages: a class pack cannot be made from it`,
      'get the sources of minilab, run ./minilab there once, then ./minilab class pack',
    )
  const folder = `minilab-${version}`
  await findImage(DEFAULT_IMAGE)
  const scratch = makeScratch()
  try {
    if (!packedImage()) await writePackedImage(certain(readImage(DEFAULT_IMAGE)?.layers[0]), scratch)
    const entries = list(packedImage() ? PACKED : scratch)
    const tar = tarPack()
    await writeWhole(file, async out => {
      const filling = fill(tar, folder, entries).catch((error: Error) => tar.destroy(error))
      await pipeline(tar as AsyncIterable<Buffer>, createGzip({ level: 3 }), out)
      await filling
    })
    const archs = entries.flatMap(({ name }) => /\/node-linux-(\w+)\/bin\/node$/.exec(name)?.[1] ?? [])
    return { folder, archs, files: entries.length }
  } finally {
    removeTree(scratch)
  }
}

function list(image: string): Entry[] {
  const lock = JSON.parse(readFileSync(join(codeFolder, INSTALLED), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>
  }
  const packages = Object.entries(lock.packages).filter(([, { dev }]) => !dev)
  const entries = [
    ...['', ...new Set(packages.map(([path]) => dirname(path)))].map(name => ({
      name,
      from: join(codeFolder, name),
    })),
    ...SOURCES.flatMap(name => tree(name)),
    ...packages.flatMap(([path]) => tree(path, path.includes('/node-linux-') ? OF_NODE : NOT_NESTED)),
    ...['', 'default.json', 'default.tar'].map(name => ({
      name: join('image', name),
      from: join(image, name),
    })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1))
  const installed = JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2) + '\n'
  return [...entries, { name: INSTALLED, from: Buffer.from(installed) }]
}

/** Not packages inside a package: the lockfile lists those separately. */
const NOT_NESTED = /^(?!(.*\/)?node_modules(\/|$))/

/** A file of the project, or a folder with its content, limited to paths that match `wanted`. */
function tree(name: string, wanted = /(?:)/): Entry[] {
  const from = join(codeFolder, name)
  const stat = lstatSync(from, { throwIfNoEntry: false })
  if (!stat?.isDirectory()) return stat ? [{ name, from }] : []
  return Array.from(walk(from), ({ path }) => path)
    .filter(path => wanted.test(path))
    .map(path => ({ name: join(name, path), from: join(from, path) }))
}

/** The same time for everything, so that to the launcher no lockfile is newer than what is installed. */
const TIME = new Date('2000-01-01T00:00:00Z')

async function fill(tar: Pack, folder: string, entries: Entry[]): Promise<void> {
  for (const { name, from } of entries) await add(tar, join(folder, name), from)
  tar.finalize()
}

async function add(tar: Pack, name: string, from: string | Buffer): Promise<void> {
  const header = { name, uid: 0, gid: 0, mtime: TIME }
  if (typeof from !== 'string')
    return pipeline([from], tar.entry({ ...header, mode: 0o644, size: from.length }))
  const stat = lstatSync(from)
  if (stat.isDirectory()) tar.entry({ ...header, type: 'directory', mode: 0o755 }, '')
  else if (stat.isSymbolicLink())
    tar.entry({ ...header, type: 'symlink', mode: 0o777, linkname: readlinkSync(from) }, '')
  else {
    const mode = stat.mode & 0o100 ? 0o755 : 0o644
    await pipeline(createReadStream(from), tar.entry({ ...header, mode, size: stat.size }))
  }
}
