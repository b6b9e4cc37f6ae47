// The entry of the runtime: docker, podman and containerd start it for each of their commands. It never prints anything by itself: the
// descriptors 0, 1 and 2 of `create` are those of the container.
import { existsSync, statSync } from 'node:fs'
import module from 'node:module' // its names one by one would be a SyntaxError on a Node that lacks one
import { pathToFileURL } from 'node:url'

// As in bin.mjs: at SIGUSR1 Node would open its debugger; a launch holds a libuv worker while it waits at its gate.
process.on('SIGUSR1', function end() {
  process.off('SIGUSR1', end)
  process.kill(process.pid, 'SIGUSR1')
})
process.env.UV_THREADPOOL_SIZE = '4'

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
