import { globSync, readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

// As in bin.mjs: a launch that waits at its gate holds a libuv worker. The processes that vitest forks inherit this.
process.env.UV_THREADPOOL_SIZE ||= '8'
// And so that no TypeScript is stripped twice, of whatever a test starts Node for.
process.env.NODE_COMPILE_CACHE ||= `${import.meta.dirname}/node_modules/.cache/v8`
// Else bash takes the socket that Node gives it as stdin for an ssh connection, and reads the caller's ~/.bashrc: bash(1).
process.env.SHLVL = '2'
// Nor is what tests predict to be noted in the `mine/` of whoever runs them: this is no workspace.
process.env.MINILAB_WORKSPACE ||= '/dev/null'

const { MINILAB_REPORT } = process.env

const FAULTS = 'test/fire/*.test.ts'
const ATTACKS = 'test/attacks/*.test.ts'
const MACHINES = 'test/machines/*.test.ts'
/** What starts real engines, which run `minilab-oci`. */
const ENGINES = 'test/oci/{docker,docker-users,podman,containerd,cri,same-view,mine,rootless,systemd}.test.ts'
/** What `npm test` has, in one mode. */
const FEATURES = globSync('test/**/*.test.ts', {
  cwd: import.meta.dirname,
  exclude: [FAULTS, ATTACKS, MACHINES, ENGINES],
})

const textOf = (file: string) => readFileSync(`${import.meta.dirname}/${file}`, 'utf8')
/** The files whose tests can run in several ways: as root and as an ordinary user, in light and dark colours. */
const IN_MODES = FEATURES.filter(file => /\b(users|modesOf|mutantsOf)\b/.test(textOf(file)))
/** Those with cases that are left to CI. */
const THOROUGH = FEATURES.filter(file => /\b(thorough|few)\(/.test(textOf(file)))

/** Projects whose files `npm test` has run as well: of these .ci/run needs only the tests that it did not have. */
const UNSEEN = new Set(['ci:modes', 'ci:cases'])

/** Tests that run together; the part of the name before the colon is the tier: CONTRIBUTING.md, "Tests". */
const project = (name: string, include: string[], env: Record<string, string> = {}) => ({
  extends: true as const,
  // the files of `npm test` share processes: to start one for each, and load it, takes a tenth of the time
  test: {
    name,
    include,
    env,
    isolate: !name.startsWith('test:'),
    ...(UNSEEN.has(name) && { runner: './test/support/unseen.ts' }),
  },
})

// `npm test`: each feature, check and mutant once, in one mode
const FIRST = { MINILAB_TEST_MODES: 'first', MINILAB_TEST_CASES: 'some' }
const main = [
  project('test:mutants', ['test/chapters/mutants/*.test.ts'], FIRST),
  project('test:labs', ['test/labs/*.test.ts'], FIRST),
  project('test:commands', ['test/{chapters,cli,guide,setup}/*.test.ts'], FIRST),
  project('test:library', ['test/{common,container,image,kernel,sandbox,vm}/*.test.ts'], FIRST),
  project(
    'test:oci',
    FEATURES.filter(file => file.startsWith('test/oci/')),
    FIRST,
  ),
  project('test:pages', ['test/{book,look}/*.test.ts'], FIRST),
]
// .ci/run, besides: the other modes of the same tests, all cases in the first mode, attacks and odd machines in all modes, and a
// sample of the faults; real engines
const ci = [
  project('ci:modes', IN_MODES, { MINILAB_TEST_MODES: 'others' }),
  project('ci:cases', THOROUGH, { MINILAB_TEST_MODES: 'first' }),
  project('ci:attacks', [ATTACKS]),
  project('ci:machines', [MACHINES]),
  project('ci:engines', [ENGINES]),
  project('ci:faults', [FAULTS]),
]
// npm run test:nightly
const nightly = [project('nightly:faults', [FAULTS], { MINILAB_FIRE: 'all' })]

export default defineConfig({
  test: {
    projects: [...main, ...ci, ...nightly],
    globalSetup: './test/support/image-once.ts',
    pool: 'forks', // a test file may change its process: namespaces, signals, umask
    unstubEnvs: true, // so that no file finds what another has changed
    restoreMocks: true,
    // two processors: a test often waits, for a container or a page. CI's are slower, and its waits are against hanging
    maxWorkers: process.env.CI ? 3 : 4,
    sequence: { sequencer: LongestFirst },
    maxConcurrency: 2, // of the tests in one file that run side by side
    // not yet 0 in CI: what needed a second try is named at the end, and is to be mended
    retry: process.env.CI ? 1 : 0,
    testTimeout: 300_000, // against hanging, not for speed: a busy machine takes its time
    expect: { poll: { timeout: 60_000 } }, // the same: one second is the default, too little for a page on a busy machine
    hookTimeout: 300_000,
    reporters: [
      ['default', { summary: false }],
      './test/support/where-time-goes.ts',
      ...(MINILAB_REPORT ? [['json', { outputFile: MINILAB_REPORT }] as [string, object]] : []), // .ci/run counts
    ],
  },
})
