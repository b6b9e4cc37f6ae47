import type { Reporter, TestCase, TestModule } from 'vitest/node'

const SLOWEST = 10

/** Says at the end of a run where its time went: the slowest tests, and each project's files added up. */
export default class WhereTimeGoes implements Reporter {
  #began = performance.now()

  onTestRunStart(): void {
    this.#began = performance.now()
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap(module => [...module.children.allTests()])
    const again = tests.filter(test => test.diagnostic()?.flaky)
    if (again.length > 0) console.log('\nPassed only at the second try: each has a cause')
    for (const test of again) {
      console.log(`  ${test.module.relativeModuleId} > ${test.fullName}`)
      for (const { message, diff } of test.result().errors ?? [])
        console.log(`${message}\n${diff ?? ''}`.trimEnd().replace(/^/gm, '    '))
    }
    if (tests.length < 2 * SLOWEST) return // of a few tests each is seen with its time anyway
    const slowest = tests.toSorted((a, b) => duration(b) - duration(a)).slice(0, SLOWEST)
    console.log(`\nThe slowest ${SLOWEST} tests`)
    for (const test of slowest)
      console.log(`${seconds(duration(test))}  ${test.module.relativeModuleId} > ${test.fullName}`)
    const projects = Map.groupBy(modules, ({ project }) => project.name)
    console.log('\nThe time of each project, its files added up')
    for (const [name, files] of projects) {
      const time = files.reduce((sum, file) => sum + spent(file), 0)
      const count = files.reduce((sum, { children }) => sum + [...children.allTests()].length, 0)
      console.log(`${seconds(time)}  ${name}: ${count} tests in ${files.length} files`)
    }
    console.log(`${seconds(performance.now() - this.#began)}  all of them, side by side\n`)
  }
}

const duration = (test: TestCase) => test.diagnostic()?.duration ?? 0

/** What a file took: to start its process, to load it, and to run. */
function spent(module: TestModule): number {
  const { duration, collectDuration, setupDuration, prepareDuration, environmentSetupDuration } =
    module.diagnostic()
  return duration + collectDuration + setupDuration + prepareDuration + environmentSetupDuration
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1).padStart(7)} s`
