// The entry of the runtime: docker, podman and containerd start it for each of their commands. It never prints anything by itself: the
// descriptors 0, 1 and 2 of `create` are those of the container.

// An ES import of node:fs reads all its properties, and six of them load streams and promises, a fifth of what a command takes (Node 24).
// Nothing here imports those by their names, so the first import must not see them.
const fs = process.getBuiltinModule('fs')
const lazy = Object.entries(Object.getOwnPropertyDescriptors(fs)).filter(
  ([, { get, configurable }]) => get && configurable,
)
for (const [name] of lazy) delete fs[name]
await import('node:fs')
Object.defineProperties(fs, Object.fromEntries(lazy))

// As in bin.mjs: at SIGUSR1 Node would open its debugger; a launch holds a libuv worker while it waits at its gate.
process.on('SIGUSR1', function end() {
  process.off('SIGUSR1', end)
  process.kill(process.pid, 'SIGUSR1')
})
process.env.UV_THREADPOOL_SIZE = '4'

const { existsSync, statSync } = fs
const module = process.getBuiltinModule('module')
const { pathToFileURL } = process.getBuiltinModule('url')
const here = import.meta.dirname
const uid = process.getuid()
const { HOME, XDG_CACHE_HOME = HOME && `${HOME}/.cache` } = uid === 0 ? { HOME: '/root' } : process.env
const cache =
  uid === statSync(here).uid
    ? `${here}/node_modules/.cache/v8`
    : XDG_CACHE_HOME && `${XDG_CACHE_HOME}/minilab/v8`
if (cache) module.enableCompileCache(cache)

// Our own imports name whole files, so nothing has to be searched for.
const own = `${pathToFileURL(here).href}/lib/`
module.registerHooks({
  resolve: (name, context, next) =>
    name[0] === '.' && name.endsWith('.ts') && context.parentURL?.startsWith(own)
      ? { url: new URL(name, context.parentURL).href, format: 'module-typescript', shortCircuit: true }
      : next(name, context),
})

await import(existsSync(`${here}/lib/oci/main.ts`) ? './lib/oci/main.ts' : './dist/lib/oci/main.js')
