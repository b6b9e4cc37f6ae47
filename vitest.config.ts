import { defineConfig } from 'vitest/config'

// As in bin.mjs: a launch that waits at its gate holds a libuv worker. The processes that vitest forks inherit this.
process.env.UV_THREADPOOL_SIZE ||= '8'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks', // a test file may change its process: namespaces, signals, umask
    maxWorkers: 4, // most of a test's time is spent waiting for processes
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: 'node_modules/.cache/vitest.json' }, // .ci/run takes the counts from it
  },
})
