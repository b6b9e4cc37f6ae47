import { existsSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { inFirstUserNamespace } from '../kernel/process/procfs.ts'

// Commands in texts are written `minilab step 3`. They are printed as they can be typed here: `./minilab step 3` from a clone,
// `minilab step 3` where it was installed, `npx minilab step 3`; and with `sudo` only where that is needed, and is there.

/** What the launchers were called by: their $0. Not set where Node was started with our entry by hand, as tests do it. */
const CALLED = process.env.MINILAB_CALLED
const FOLDERS = (process.env.PATH ?? '').split(delimiter)

const COMMANDS =
  'book|check|class|clean|dev|diff|doctor|escape|exec|hint|init|kill|lab|logs|look|pack|progress|ps|quiz|report|reset|rm|run|solution|step|tour|view|watch|…|--help'
const OURS = new RegExp(`(?<![\\w/.$-])(?:\\./)?minilab(?= (?:${COMMANDS})(?!\\w))`, 'g')
/** Commands that texts have behind sudo. */
const SUDO = /\bsudo (?=(?:\.\/)?minilab|apt|apt-get|ip|sysctl|mount|mkdir|modprobe|systemctl)/g

function nameOf(called: string): string {
  if (process.env.npm_command === 'exec') return 'npx minilab'
  if (!called.includes('/') || FOLDERS.includes(dirname(resolve(called)))) return 'minilab'
  return called
}

/** A text whose commands can be typed as they stand. */
export function asTyped(text: string): string {
  if (CALLED === undefined) return text
  const isRoot = process.geteuid?.() === 0 && inFirstUserNamespace()
  const needsNoSudo = isRoot || !FOLDERS.some(folder => existsSync(join(folder, 'sudo')))
  const name = nameOf(CALLED)
  const named = (needsNoSudo ? text.replace(SUDO, '') : text).replace(OURS, name)
  return foundBySudo(name, CALLED)
    ? named
    : named.replaceAll(`sudo ${name} `, `sudo env "PATH=$PATH" ${name} `)
}

/** sudoers(5), secure_path: sudo looks for commands in these folders, whatever the PATH of who calls it. */
const SECURE_PATH = ['sbin', 'bin', 'usr/sbin', 'usr/bin', 'usr/local/sbin', 'usr/local/bin'].map(
  f => `/${f}`,
)

/** Whether sudo finds us, and the Node that the package of npm needs. */
function foundBySudo(name: string, called: string): boolean {
  if (name.includes('/')) return true
  return [called, process.execPath].every(path => SECURE_PATH.includes(dirname(resolve(path))))
}
