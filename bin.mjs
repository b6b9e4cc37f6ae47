#!/usr/bin/env node
// The entry, in plain JavaScript: an entry in TypeScript costs 50 ms more, for the type stripper, each time.
import { existsSync, statSync } from 'node:fs'
import module from 'node:module' // its names one by one would be a SyntaxError on a Node that lacks one

if (Number.parseInt(process.versions.node) < 24) {
  console.error(`minilab: Node ${process.version} is too old: install Node 24.15 or newer`)
  process.exit(3)
}

// A launch that waits at its gate holds a libuv worker. libuv reads this once, at the first asynchronous call.
process.env.UV_THREADPOOL_SIZE ||= '8'

// Only the owner writes the cache: root's files would stand in the way of the owner's next `npm ci`.
const here = import.meta.dirname
if (process.getuid() === statSync(here).uid) module.enableCompileCache(`${here}/node_modules/.cache/v8`)

// A checkout has the sources; the npm package has what `prepack` made of them (Node strips no types under node_modules).
await import(existsSync(`${here}/lib/cli/main.ts`) ? './lib/cli/main.ts' : './dist/lib/cli/main.js')
