import { isUtf8 } from 'node:buffer'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { ownFolder } from '../common/own-folder.ts'
import { keepBlockingModes } from './standard-streams.ts'

const version = (): string =>
  (JSON.parse(readFileSync(join(ownFolder, 'package.json'), 'utf8')) as { version: string }).version

/** The commands that start containers. */
const STARTING = ['run', 'exec', 'step', 'quiz']

const [, , command = '', argument] = process.argv
// we must be able to read what we write: a umask may deny others access, but not us
process.umask(process.umask(0o077) & 0o077)
keepBlockingModes()

/** The variables that name folders and files of ours. */
const OURS = ['MINILAB_DATA', 'MINILAB_WORKSPACE', 'HOME', 'XDG_DATA_HOME', 'XDG_CACHE_HOME']

/** Node decodes our arguments and variables, and replaces invalid bytes with U+FFFD: the program would get bytes that were not meant. */
function refuseUndecoded(): void {
  const asked = [...process.argv.map(word => word.replace(/^(-e|--env=)/, '')), ...OURS].filter(
    word => word in process.env,
  )
  if (![...process.argv, ...asked.map(name => process.env[name])].join('').includes('\ufffd')) return
  const bytesOf = (file: string) =>
    readFileSync(`/proc/self/${file}`, 'latin1')
      .split('\0')
      .map(text => Buffer.from(text, 'latin1'))
  const variables = bytesOf('environ').filter(entry => asked.includes(entry.toString().replace(/=.*/s, '')))
  for (const [what, all] of [
    ['argument', bytesOf('cmdline')],
    ['variable', variables],
  ] as const) {
    const broken = all.find(bytes => !isUtf8(bytes))
    if (broken)
      throw new MinilabError(
        'usage',
        `the ${what} ${JSON.stringify(broken.toString())} is not UTF-8`,
        OURS.some(name => broken.toString().startsWith(`${name}=`))
          ? 'choose a folder whose name is UTF-8'
          : 'let a shell in the container produce these bytes, with printf',
      )
  }
}

/**
 * In a /proc of another pid namespace, a pid of a process that we make is a different process: our writes there would reach that process.
 * If there is no /proc at all, other code reports that.
 */
function refuseForeignProc(): void {
  let own: string | undefined
  try {
    own = readlinkSync('/proc/self')
  } catch {
    if (!existsSync('/proc/version')) return
  }
  if (own !== String(process.pid))
    throw new MinilabError(
      'machine',
      '/proc belongs to a different pid namespace',
      'mount a new one: unshare --mount-proc, or mount -t proc proc /proc',
    )
}

let isServing = false // jobs, for which this process stays

async function start(): Promise<void> {
  if (!/^(book|help|--help|-h|)$/.test(command)) refuseForeignProc()
  refuseUndecoded()
  if (process.env.MINILAB_HANDED) {
    ;(await import('../kernel/process/handed.ts')).receive() // before anything that could inherit it is started
    // this is minilab in the sandbox, which receives code to try as jobs: jobs.ts
    if (command === 'check') {
      isServing = true
      return (await import('./lab/run-trials.ts')).serveTrials(Number(argument))
    }
  }
  if (STARTING.includes(command)) (await import('../kernel/process/inherited.ts')).keepInherited()
  await (await import('./program.ts')).main(process.argv, version())
}

// Whatever else is thrown, also in a promise that nothing awaits. Node's own exit would wait for libuv's workers; one of them may wait for a
// child of ours, and that child for us.
process.on('uncaughtException', error => {
  void import('./report-error.ts').then(({ reportError }) => {
    process.exitCode = reportError(error)
    return end()
  })
})

/** Ends this process as end.ts does; as Node does if that file cannot be loaded, because too many files are open. */
async function end(): Promise<void> {
  const loaded = await import('./end.ts').catch(() => undefined)
  if (!loaded) process.exit()
  await loaded.end()
}

// checked first: loading commander alone takes as long as Node's own start
if (command === '--version' || command === '-V') {
  process.stdout.on(
    'error',
    error => void import('./unwritable.ts').then(({ unwritable }) => unwritable(error)),
  )
  console.log(version())
} else {
  try {
    await start()
  } catch (error) {
    process.exitCode = (await import('./report-error.ts')).reportError(error)
  }
  // not by Node's exit, which would wait for a job that could not be ended: it dies with us (PR_SET_PDEATHSIG)
  if (!isServing) await end()
}
