import type { ChalkInstance } from 'chalk'
import type { Report } from './step.ts'
import { counted, joined } from './text.ts'

/** The result of a step in lines: what was on the host while it ran, and how many checks and predictions were right. */
export function verdictLines(
  { checks, predictions, host, ms }: Report,
  ink: ChalkInstance,
  width: number,
): string[] {
  const { bold, green, red, yellow, dim } = ink
  const looked = checks.filter(({ ok }) => ok !== null).length
  const failed = checks.filter(({ ok }) => ok === false).length
  const predicted = predictions.filter(({ said, answer }) => said === answer).length
  const verdict = failed
    ? red(`✘ ${failed} of ${counted(looked, 'check')} failed`)
    : looked
      ? green(`✔ ${counted(looked, 'check')} ${looked === 1 ? 'holds' : 'hold'}`)
      : yellow(`– none of the ${checks.length} checks could be made here`)
  const meanwhile = appeared(host.changed)
  const after = host.left.length ? '' : '; now it is as before'
  const [first = '', ...others] = [
    looked && looked < checks.length ? yellow(`${checks.length - looked} not possible here`) : '',
    predictions.length ? `${predicted} of ${predictions.length} predicted` : '',
    host.left.length ? red(`left on the host: ${host.left.join(', ')}`) : 'nothing left on the host',
    dim(`${ms} ms`),
  ].filter(Boolean)
  return [
    ...(meanwhile ? [dim(`      while it ran, the host also had ${meanwhile}${after}`)] : []),
    ...joined([`${bold(verdict)}  ${first}`, ...others], width - 3).map(line => `   ${line}`),
  ]
}

/** `1 process, 8 namespaces, 5 cgroups`: what appeared on the host, counted by the first word of each line. */
function appeared(changed: readonly string[]): string {
  const kindOfEach = changed.filter(line => line.startsWith('+ ')).map(line => line.split(' ')[1] ?? '')
  return [...new Set(kindOfEach)]
    .map(kind => counted(kindOfEach.filter(other => other === kind).length, kind))
    .join(', ')
}
