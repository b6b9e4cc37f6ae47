import { defineConfig } from 'vitest/config'

// As in bin.mjs: a launch that waits at its gate holds a libuv worker. The processes that vitest forks inherit this.
process.env.UV_THREADPOOL_SIZE ||= '8'
// Nor is what tests predict to be noted in the `mine/` of whoever runs them: this is no workspace.
process.env.MINILAB_WORKSPACE ||= '/dev/null'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks', // a test file may change its process: namespaces, signals, umask
    maxWorkers: 3,
    maxConcurrency: 3, // of the tests in one file that run side by side
    testTimeout: 120_000, // against hanging, not for speed: a busy machine takes its time
    hookTimeout: 120_000,
    // what others do on the machine can come in between once: the report says (retry x1) of such a test, and it is to be mended
    retry: process.env.CI ? 1 : 0,
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: 'node_modules/.cache/vitest.json' }, // .ci/run takes the counts from it
  },
})
