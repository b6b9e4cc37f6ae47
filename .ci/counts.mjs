// Prints what vitest's JSON report counts, as the last line of .ci/run; exit status 1 where a test was skipped or none ran.
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const tests = report.testResults.flatMap(file => file.assertionResults)
const skipped = tests.filter(({ status }) => !['passed', 'failed'].includes(status))

for (const { fullName } of skipped) console.log(`skipped: ${fullName}`)
console.log(
  `${report.numPassedTests} passed, ${report.numFailedTests} failed${skipped.length ? `, ${skipped.length} skipped` : ''}`,
)
process.exitCode = skipped.length || !report.numPassedTests ? 1 : 0
