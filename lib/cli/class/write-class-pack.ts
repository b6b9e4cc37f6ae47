import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { packClass } from '../../labs/class-pack.ts'
import { printable } from '../../common/printable.ts'

/** Writes the pack, and prints how to use it. */
export async function writeClassPack(given: string | undefined, version: string): Promise<void> {
  const file = given ?? `minilab-${version}-${process.arch}.tar.gz`
  const { folder, archs, files } = await packClass(resolve(file), version)
  const megabytes = Math.round(statSync(file).size / 1e6)
  const machines = archs.map(arch => MACHINES[arch] ?? arch).join(' and ')
  console.log(
    `${printable(file)}: ${files} files, ${megabytes} MB, for ${machines} with Linux; no network is needed`,
  )
  console.log(`On each machine:  tar -xf ${printable(file)} && cd ${folder} && ./minilab step 1`)
}

/** The machine name that uname -m prints, if Node's differs. */
const MACHINES: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' }
