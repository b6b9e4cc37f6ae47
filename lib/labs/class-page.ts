import { type ClassReport, type Failure, type Learner, tasksOf } from './class-report.ts'
import { html, Html } from '../book/html.ts'
import { counted } from '../guide/text.ts'
import type { ReportedTask } from './report-shape.ts'

/**
 * The reports of a class as one static page, without scripts or external resources; it works with a keyboard, on paper, and in
 * dark mode.
 */
export function classPage(report: ClassReport, made: Date): string {
  const { learners, problems, notes } = report
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>minilab class report</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <h1>minilab class report</h1>
        <p>${counted(learners.length, 'learner')}, ${shortTime(made.toISOString())} UTC</p>
        ${[...problems, ...notes].map(line => html`<p class="problem">! ${line}</p>`)}
        <h2 id="progress">Who has passed what</h2>
        ${progressTable(report)}
        <h2 id="map">Who fails at what</h2>
        ${heatMap(report)}
      </body>
    </html> `.text
}

/** '2026-11-22 09:46' for an ISO 8601 time. */
export const shortTime = (iso: string) => iso.slice(0, 16).replace('T', ' ')

/** How many tasks of a lab are passed, and how many there are: '3/4'. */
export function passed(tasks: readonly (ReportedTask | undefined)[]): string {
  return `${done(tasks)}/${tasks.length}`
}

/** How many predictions are right, and how many were asked for. Predictions are not tasks. */
export const predicted = ({ predictions: { right, asked } }: Learner) => (asked ? `${right}/${asked}` : '–')

const done = (tasks: readonly (ReportedTask | undefined)[]) => tasks.filter(task => task?.passed).length

function progressTable({ exercises, learners }: ClassReport): Html {
  return html`<div class="wide" role="region" aria-labelledby="progress" tabindex="0">
    <table>
      <caption>
        Passed tasks of each lab; ◆: how many solutions were read first. Predictions: how many are right.
      </caption>
      <thead>
        <tr>
          <th scope="col">Learner</th>
          ${exercises.map(({ number, name }) => html`<th scope="col">${number} ${name}</th>`)}
          <th scope="col">Predictions</th>
          <th scope="col">Last lab activity (UTC)</th>
          <th scope="col">Stuck on</th>
        </tr>
      </thead>
      <tbody>
        ${learners.map(
          learner =>
            html`<tr>
              <th scope="row"><bdi>${learner.name}</bdi></th>
              ${exercises.map(exercise => progressCell(tasksOf(exercise, learner)))}
              <td>${predicted(learner)}</td>
              <td>${learner.last ? shortTime(learner.last) : '–'}</td>
              <td>${learner.stuck ? `${learner.stuck.task}: ${learner.stuck.check}` : '–'}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

function progressCell(tasks: (ReportedTask | undefined)[]): Html {
  const quarter = tasks.length ? Math.floor((4 * done(tasks)) / tasks.length) : 0
  const read = tasks.filter(task => task?.state === 'gave up').length
  return html`<td class="done${quarter}">${passed(tasks)}${read ? ` ◆${read}` : ''}</td>`
}

function heatMap({ failures, learners }: ClassReport): Html {
  if (failures.length === 0) return html`<p>No one fails at a check.</p>`
  return html`<p class="legend">
      <span class="heat1">✘ 1×</span> <span class="heat2">✘ 2–3×</span> <span class="heat3">✘ 4–7×</span>
      <span class="heat4">✘ 8× or more</span>: the check fails, after so many attempts; h: hints read, of 3;
      open it for the diagnosis. <span>✔</span> passed <span>◆</span> solution read <span>·</span> not there
      yet
    </p>
    <div class="wide" role="region" aria-labelledby="map" tabindex="0">
      <table>
        <caption>
          Failing checks and learners; the checks that fail most come first.
        </caption>
        <thead>
          <tr>
            <th scope="col">Check</th>
            <th scope="col">Learners</th>
            ${learners.map(({ name }) => html`<th scope="col"><bdi>${name}</bdi></th>`)}
            <th scope="col">Most often</th>
          </tr>
        </thead>
        <tbody>
          ${failures.map(
            failure =>
              html`<tr>
                <th scope="row">${failure.exercise.number} ${failure.exercise.name}: ${failure.check}</th>
                <td>${failure.cells.size}</td>
                ${learners.map(learner => heatCell(failure, learner))}
                <td class="text">
                  ${failure.commonest.diagnosis} (${failure.commonest.count} of ${failure.cells.size})
                </td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`
}

function heatCell(failure: Failure, learner: Learner): Html {
  const task = failure.cells.get(learner)
  if (!task) return html`<td>${standing(failure, learner)}</td>`
  const { attempts, hints, failing, state } = task
  const heat = [1, 2, 4, 8].filter(least => attempts >= least).length || 1
  return html`<td class="heat${heat}">
    <details>
      <summary>
        <span class="said">fails,</span> ✘ ${attempts}× h${hints}${state === 'gave up' ? ' ◆' : ''}
      </summary>
      <p>${task.title}: ${failing?.diagnosis ?? ''}</p>
    </details>
  </td>`
}

/** The state of a learner who does not fail a check, by the tasks that include it. */
function standing({ exercise, check }: Failure, learner: Learner): Html {
  const asking = tasksOf(exercise, learner).filter((_, i) => exercise.tasks[i]?.checks.includes(check))
  if (asking.some(task => task?.state === 'gave up')) return html`◆<span class="said"> solution read</span>`
  if (asking.some(task => task?.state === 'passed')) return html`✔<span class="said"> passed</span>`
  return html`·<span class="said"> not there yet</span>`
}

const STYLE = new Html(`
:root { color-scheme: light dark; --text: #1b1b1b; --page: #fff; --line: #999;
  --done: 140 45%; --heat: 20 85%; --least: 95%; --step: -9%; }
@media (prefers-color-scheme: dark) {
  :root { --text: #eee; --page: #161616; --line: #777; --done: 140 40%; --heat: 10 60%; --least: 14%; --step: 6%; } }
body { font: 1rem/1.4 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 1.5rem; }
table { border-collapse: collapse; }
caption { text-align: start; padding-block: .3rem; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: start; vertical-align: top; }
th, td.text, details p { max-width: 24rem; overflow-wrap: anywhere; }
thead th { vertical-align: bottom; overflow-wrap: break-word; }
td.text { min-width: 14rem; }
details p { min-width: 12rem; margin: .3rem 0 0; }
summary { cursor: pointer; white-space: nowrap; }
.wide { overflow-x: auto; position: relative; }
.legend span { border: 1px solid var(--line); padding: 0 .3rem; }
.problem { font-weight: bold; overflow-wrap: anywhere; }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.done1, .done2, .done3, .done4 { background: hsl(var(--done) calc(var(--least) + var(--level) * var(--step))); }
.heat1, .heat2, .heat3, .heat4 { background: hsl(var(--heat) calc(var(--least) + var(--level) * var(--step))); }
.done1, .heat1 { --level: 0; } .done2, .heat2 { --level: 1; } .done3, .heat3 { --level: 2; } .done4, .heat4 { --level: 3; }
@page { size: landscape; }
@media print {
  body { margin: 0; font-size: .75rem; print-color-adjust: exact; }
  .wide { overflow: visible; }
  tr { break-inside: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
`)
