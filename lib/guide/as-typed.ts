import { existsSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { isMachinesRoot } from '../kernel/process/procfs.ts'

// Texts name commands as `minilab step 3`. They are printed as they can be typed here: `./minilab step 3` in a clone, `minilab
// step 3` where it is installed, `npx minilab step 3`; with `sudo` only if it is needed and installed

/** The name by which the launcher was called: its $0. Not set when Node was started directly, as tests do. */
const CALLED = process.env.MINILAB_CALLED
const FOLDERS = (process.env.PATH ?? '').split(delimiter)

const COMMANDS =
  'book|check|class|clean|dev|diff|doctor|escape|exec|hint|init|kill|lab|logs|look|pack|progress|ps|quiz|report|reset|rm|run|solution|step|tour|view|watch|…|--help'
const OURS = new RegExp(`(?<![\\w/.$-])(?:\\./)?minilab(?= (?:${COMMANDS})(?!\\w))`, 'g')
/** The commands that texts put behind sudo. */
const SUDO = /\bsudo (?=(?:\.\/)?minilab|apt|apt-get|ip|sysctl|mount|mkdir|modprobe|systemctl)/g

function nameOf(called: string): string {
  if (process.env.npm_command === 'exec') return 'npx minilab'
  if (!called.includes('/') || FOLDERS.includes(dirname(resolve(called)))) return 'minilab'
  return called
}

/** The text, with its commands as they can be typed here. */
export function asTyped(text: string): string {
  if (CALLED === undefined) return text
  const isRoot = isMachinesRoot()
  const needsNoSudo = isRoot || !FOLDERS.some(folder => existsSync(join(folder, 'sudo')))
  const name = nameOf(CALLED)
  const named = (needsNoSudo ? text.replace(SUDO, '') : text).replace(OURS, name)
  return foundBySudo(name, CALLED)
    ? named
    : named.replaceAll(`sudo ${name} `, `sudo env "PATH=$PATH" ${name} `)
}

/** sudoers(5), secure_path: sudo searches these folders for a command, whatever the PATH of the caller. */
const SECURE_PATH = ['sbin', 'bin', 'usr/sbin', 'usr/bin', 'usr/local/sbin', 'usr/local/bin'].map(
  f => `/${f}`,
)

/** Whether sudo finds minilab, and the Node that the npm package needs. */
function foundBySudo(name: string, called: string): boolean {
  if (name.includes('/')) return true
  return [called, process.execPath].every(path => SECURE_PATH.includes(dirname(resolve(path))))
}
