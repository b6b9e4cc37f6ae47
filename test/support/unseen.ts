import { readFileSync } from 'node:fs'
import {
  type RunnerTask,
  type RunnerTestFile,
  type RunnerTestSuite,
  type TestRunnerConfig,
  TestRunner,
} from 'vitest'

/** The part of vitest's JSON report that we read. */
interface Report {
  testResults: { name: string; assertionResults: { fullName: string; status: string }[] }[]
}

/** A test's file and full name: what the test does must depend on nothing else that two projects set differently. */
const key = (file: string, fullName: string) => `${file}\0${fullName}`

/** What has passed in an earlier run, whose report MINILAB_SEEN names: .ci/run. */
function passedBefore(): Set<string> {
  const { MINILAB_SEEN } = process.env
  if (!MINILAB_SEEN) return new Set()
  const { testResults } = JSON.parse(readFileSync(MINILAB_SEEN, 'utf8')) as Report
  return new Set(
    testResults.flatMap(({ name, assertionResults }) =>
      assertionResults.filter(({ status }) => status === 'passed').map(({ fullName }) => key(name, fullName)),
    ),
  )
}

/** Leaves out the tests that `npm test` has passed in the same run of CI, so that ci:modes and ci:cases run only what is new. */
export default class Unseen extends TestRunner {
  constructor(config: TestRunnerConfig) {
    super(config)
    const seen = passedBefore()
    this.config.passWithNoTests = true // of a file with no test that is new
    // vitest puts a report to its main process before this hook; the tests must be gone when that is made
    let hook: ((files: RunnerTestFile[]) => unknown) | undefined
    Object.defineProperty(this, 'onCollected', {
      get: () => hook,
      set(reporting: typeof hook) {
        hook = files => {
          for (const file of files) leaveOut(file, task => seen.has(key(file.filepath, fullName(task))))
          return reporting?.(files)
        }
      },
    })
  }
}

/** Removes the tests of a suite that `isSeen` names, and suites that have none left. */
function leaveOut(suite: RunnerTestSuite, isSeen: (task: RunnerTask) => boolean): void {
  suite.tasks = suite.tasks.filter(task => {
    if (task.type !== 'suite') return !isSeen(task)
    leaveOut(task, isSeen)
    return task.tasks.length > 0
  })
}

/** As in the report: the names of the suites and of the test. */
function fullName(task: RunnerTask): string {
  const names = [task.name]
  for (let { suite } = task; suite; { suite } = suite) names.unshift(suite.name)
  return names.join(' ')
}
