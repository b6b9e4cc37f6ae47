import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { VmProblem } from './problem.ts'

export const isRoot = process.getuid?.() === 0

/**
 * Runs a script of this folder that needs root's rights over files: as root, or as root of a user namespace.
 * @param apart in a user namespace also as root
 */
export async function asRoot(script: string, args: string[], apart = false): Promise<void> {
  const command = ['sh', join(import.meta.dirname, script), ...args]
  if (!isRoot) return run(['unshare', '--map-root-user', '--map-auto', '--mount', ...command])
  if (!apart) return run(command)
  // user_namespaces(7): only from outside can more than one id be mapped, so sh waits until they are
  const wait = ['sh', '-c', 'echo; read -r _; exec "$@"', 'sh']
  return run(['unshare', '--user', '--mount', ...wait, ...command], pid => {
    for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${pid}/${map}`, '0 0 65536\n')
  })
}

async function run([program = '', ...args]: string[], whenReady?: (pid: number) => void): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit') as Promise<[number | null]>
  child.stdout.once('data', () => {
    whenReady?.(child.pid ?? 0)
    child.stdin.end('\n')
  })
  if (!whenReady) child.stdin.end()
  child.stdout.resume()
  const [status] = await ended
  if (status !== 0)
    throw new VmProblem(`${basename(args.find(arg => arg.endsWith('.sh')) ?? program)} failed, see above`)
}
