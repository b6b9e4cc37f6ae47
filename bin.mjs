#!/bin/sh
':' //; [ -z "${NODE_OPTIONS+x}" ] || { export MINILAB_NODE_OPTIONS="$NODE_OPTIONS"; unset NODE_OPTIONS; }
':' //; [ -z "${NODE_DEBUG+x}" ] || { export MINILAB_NODE_DEBUG="$NODE_DEBUG"; unset NODE_DEBUG; }
':' //; unset NODE_CHANNEL_FD NODE_UNIQUE_ID; [ -d "${NODE_COMPILE_CACHE:-/}" ] || mkdir -p "$NODE_COMPILE_CACHE" 2>/dev/null || unset NODE_COMPILE_CACHE
':' //; export MINILAB_OPEN_FILES="$(ulimit -Sn)"
':' //; unset MINILAB_IGNORED; { while read -r n v; do case $n in SigIgn:) export MINILAB_IGNORED="$v" && break ;; esac; done </proc/self/status; } 2>/dev/null || :
':' //; export MINILAB_CALLED="${MINILAB_CALLED-$0}"; exec node -- "$0" "$@"
// For a shell the six lines above start Node; for Node they are six strings. The arguments stand behind `--`, and NODE_OPTIONS is
// kept from us: an option of either kind is meant for the container's program.
// The entry, in plain JavaScript: an entry in TypeScript costs 50 ms more, for the type stripper, each time.
import { existsSync, statSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import module from 'node:module' // its names one by one would be a SyntaxError on a Node that lacks one
import { pathToFileURL } from 'node:url'

if (Number.parseInt(process.versions.node) < 24) {
  console.error(`minilab: Node ${process.version} is too old: install Node 24.15 or newer`)
  process.exit(3)
}

// What we change for ourselves below: `run -e NAME` passes on what the caller had (lib/container/run/options.ts).
if (!process.env.MINILAB_SAVED_ENV) {
  process.env.MINILAB_SAVED_ENV = '1' // we may start ourselves again
  for (const name of ['FORCE_COLOR', 'UV_THREADPOOL_SIZE', 'NODE_COMPILE_CACHE'])
    if (process.env[name] !== undefined) process.env[`MINILAB_${name}`] = process.env[name]
}

// As most programs, and not as Node, which prints a line to say that it takes the one and ignores the other.
if (process.env.NO_COLOR || process.env.NODE_DISABLE_COLORS) delete process.env.FORCE_COLOR

// At SIGUSR1 Node opens its debugger, to all who reach 127.0.0.1. `run` and `exec` pass the signal on; else it ends us. (Node's
// --disable-sigusr1 would block the signal in us and in every container.)
process.on('SIGUSR1', function end() {
  if (process.listenerCount('SIGUSR1') > 1) return
  process.off('SIGUSR1', end) // without a listener it has its default effect; process.exit() would wait for workers
  process.kill(process.pid, 'SIGUSR1')
})

// What the caller ignores, such as SIGHUP under nohup(1), does not end us: Node has reset that, the shell has seen it. Also hear-signals.ts.
const ignored = BigInt(`0x${process.env.MINILAB_IGNORED || 0}`)
for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'])
  if (ignored & (1n << BigInt(constants.signals[signal] - 1))) process.on(signal, () => {})

// A launch that waits at its gate holds a libuv worker. libuv reads this once, at the first asynchronous call.
process.env.UV_THREADPOOL_SIZE = String(Math.max(8, Number(process.env.UV_THREADPOOL_SIZE) || 0))

// Only the owner writes the checkout's cache: root's files would stand in the way of the owner's next `npm ci`. Everyone
// else has their own cache; if that is not writable, Node does without. Root under sudo may have another's HOME.
const here = import.meta.dirname
const uid = process.getuid()
const { HOME, XDG_CACHE_HOME = HOME && `${HOME}/.cache` } = uid === 0 ? { HOME: '/root' } : process.env
const ownCache =
  uid === statSync(here).uid
    ? `${here}/node_modules/.cache/v8`
    : XDG_CACHE_HOME && `${XDG_CACHE_HOME}/minilab/v8`
if (ownCache) process.env.NODE_COMPILE_CACHE ||= ownCache // also for ourselves in the sandbox, where everybody is uid 0
if (process.env.NODE_COMPILE_CACHE) module.enableCompileCache(process.env.NODE_COMPILE_CACHE)

// Our own imports name whole files, so nothing has to be searched for: that is a fifth of the time to load a hundred modules.
const own = `${pathToFileURL(here).href}/`
const isOurs = (url = '') => url.startsWith(own) && /^(lib|chapters|labs)[/]/.test(url.slice(own.length))
// And commander gets node:process without the getters of its streams, which an import calls: they would be made, and the caller's pipes
// become non-blocking. Nor is node:child_process loaded for it: commander starts programs only for commands that are files of their own.
const INSTEAD = { 'node:process': 'globalThis.process', 'node:child_process': '{}' }
const isCommander = (url = '') => url.includes('/node_modules/commander/')
module.registerHooks({
  resolve: (name, context, next) =>
    name[0] === '.' && name.endsWith('.ts') && isOurs(context.parentURL)
      ? { url: new URL(name, context.parentURL).href, format: 'module-typescript', shortCircuit: true }
      : name in INSTEAD && isCommander(context.parentURL)
        ? {
            url: `data:text/javascript,export default ${INSTEAD[name]}`,
            format: 'module',
            shortCircuit: true,
          }
        : next(name, context),
})

// A checkout has the sources; the npm package has what `prepack` made of them (Node strips no types under node_modules).
try {
  await import(existsSync(`${here}/lib/cli/main.ts`) ? './lib/cli/main.ts' : './dist/lib/cli/main.js')
} catch (error) {
  // nothing of ours that could say it can be loaded any more; the statuses are those of lib/cli/exit.ts
  if (error?.code !== 'EMFILE') throw error
  writeSync(2, 'minilab: too many files are open: allow more open files (ulimit -n)\n')
  process.exit(['run', 'exec'].includes(process.argv[2]) ? 125 : 3)
}
