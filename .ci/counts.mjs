// Prints what vitest's JSON reports in a folder count together, as the last line of .ci/run. Exit status 1 where a report has
// no test, or one was skipped; on the other machine (elsewhere.json, docker.json), where programs are missing, that is meant.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [, , folder] = process.argv
const reports = readdirSync(folder).map(name => [name, JSON.parse(readFileSync(join(folder, name), 'utf8'))])
const sum = count => reports.reduce((total, [, report]) => total + count(report), 0)
const skipped = reports.flatMap(([name, { testResults }]) =>
  testResults
    .flatMap(file => file.assertionResults)
    .filter(({ status }) => !['passed', 'failed'].includes(status))
    .map(({ fullName }) => ({ name, fullName })),
)
const unmeant = skipped.filter(({ name }) => !['elsewhere.json', 'docker.json'].includes(name))
for (const { fullName } of unmeant) console.log(`skipped: ${fullName}`)
const passed = sum(report => report.numPassedTests)
const failed = sum(report => report.numFailedTests)
console.log(`${passed} passed, ${failed} failed${skipped.length ? `, ${skipped.length} skipped` : ''}`)
const empty = reports.some(([, report]) => report.numPassedTests === 0)
process.exitCode = unmeant.length || empty || !reports.length ? 1 : 0
