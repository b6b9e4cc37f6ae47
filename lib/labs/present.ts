import { dirname, relative } from 'node:path'
import { certain } from '../common/certain.ts'
import { Presenter } from '../guide/present.ts'
import { fit, joined, wrap } from '../guide/text.ts'
import type { Exercise, Task } from './exercise.ts'
import { letEngines } from './let-engines.ts'
import type { Mistake } from './mistakes.ts'
import type { Problem } from './problem.ts'
import type { Progress } from './progress-shape.ts'
import { hintsRead, isOpen, taskAt, type TaskVerdict, type Verdict } from './verdict.ts'

/** At most this many messages of the type checker are shown. */
const MOST_MISTAKES = 5

/** Advice when this user cannot pass a lab. */
const goOn = (number: number) => (number < 7 ? `Or go on: \`minilab lab ${number + 1}\`` : '')

/** What comes after a passed lab. The last lab can pass with our parts in place of those that are not written yet. */
function nextAfter({ lab, own, next }: Verdict): string {
  if (lab < 7) {
    const go = next === null ? 'All labs are passed.' : `Next: \`minilab lab ${next}\``
    return `${go} Compare with ours: \`minilab solution ${lab}\``
  }
  const ours = [1, 2, 3, 4, 5, 6].filter(number => !own.includes(number))
  return ours.length === 0
    ? 'You have written all parts: `minilab run --mine default /bin/sh` starts a container with your own code.'
    : `It passes with our parts of lab ${ours.join(', ')}, which you have not passed yet. \`minilab run --mine\` needs yours. Next: \`minilab lab ${next}\``
}

/** A path relative to the current folder, unless that leads far up. */
function shown(file: string): string {
  const from = relative(process.cwd(), file)
  return from.startsWith('../..') ? file : from
}

/** Prints what a lab tells the learner. */
export class LabPresenter extends Presenter {
  /** Prints the verdict: the first failing task in full, the others in a line each. */
  verdict(exercise: Exercise, verdict: Verdict, progress: Progress): void {
    const { bold, dim, green } = this.ink
    const { number, tasks } = exercise
    this.head(` Lab ${number} · ${exercise.name} `)
    const with_ = verdict.own.length ? `, with your own parts of lab ${verdict.own.join(', ')}` : ''
    this.line(dim(` ${shown(verdict.file)}, ${verdict.mode === 'root' ? 'as root' : 'without root'}${with_}`))
    this.line()
    const failing = verdict.tasks.find(({ id }) => id === verdict.working)
    const reasons = new Set<string>() // print each reason once
    for (const [i, task] of verdict.tasks.entries()) {
      const seen = task.checks.some(({ ok }) => ok === false)
      const early =
        task.state === 'failed' &&
        task !== failing &&
        (!seen || !failing || verdict.tasks.indexOf(failing) < i)
      this.taskLine(i + 1, task, early)
      if (task === failing) this.failure(task, verdict, certain(exercise.tasks[i]).text)
      const reason = task.checks.find(({ limited }) => limited)?.limited ?? ''
      if (task.state === 'limited' && !reasons.has(reason)) this.note(`not looked at: ${reason}`)
      reasons.add(reason)
    }
    if (verdict.said.trim()) {
      this.line()
      this.block('your code printed', verdict.said.trimEnd().split('\n').slice(0, 20))
    }
    for (const line of verdict.left) this.note(`left behind, and taken away now: ${line}`)
    this.line()
    const passed = verdict.tasks.filter(({ state }) => state === 'passed').length
    const all = `${passed} of ${tasks.length} tasks`
    if (verdict.passed) {
      this.line(bold(green(`   ✔ all ${tasks.length} tasks`)))
      this.note(`For more: ${exercise.challenge}`)
      this.line()
      this.note(nextAfter(verdict))
      if (number === 7 && verdict.own.length === 6) this.engines(dirname(verdict.file))
    } else {
      const hints = failing ? hintsRead(progress, exercise, failing.id) : 0
      this.line(bold(`   ${all}`))
      const isLimited = verdict.tasks.every(({ state }) => state !== 'failed')
      if (isLimited && verdict.mode === 'rootless')
        this.note(`The rest needs root: \`sudo minilab check ${number}\`. ${goOn(number)}`)
      if (failing)
        this.note(
          hints < 3
            ? `Stuck? \`minilab hint ${number}\` · beside the reference: \`minilab diff ${number}\` · the task again: \`minilab lab ${number}\``
            : `Beside the reference: \`minilab diff ${number}\` · give it up: \`minilab solution ${number} --give-up\``,
        )
    }
    this.line()
  }

  /** The last lab's extra. */
  private engines(folder: string): void {
    this.line()
    this.note(
      'One thing more: let Docker run your container. The first line goes into /etc/docker/daemon.json. Then, after `sudo systemctl reload docker`, the second one runs it. The last one does the same with Podman.',
    )
    for (const line of letEngines(folder)) this.line(`      ${this.ink.cyan(line)}`)
    this.note(
      'They run your code as root, once its checks hold as root: `sudo minilab check 1` to `7`. `minilab book 7` says what happens then.',
    )
  }

  /** What the type checker says; the checks have judged what the code does. */
  mistakes(mistakes: readonly Mistake[]): void {
    const { cyan, dim } = this.ink
    if (mistakes.length === 0) return
    this.note('The type checker says of your file:')
    for (const { at, says } of mistakes.slice(0, MOST_MISTAKES)) {
      this.line(
        `      ${cyan(`${at.file}:${at.line}`)}  ${dim(fit(at.text, this.width - 12 - at.file.length))}`,
      )
      for (const line of wrap(says, this.width - 10)) this.line(`        ${this.code(line)}`)
    }
    if (mistakes.length > MOST_MISTAKES) this.note(`… and ${mistakes.length - MOST_MISTAKES} more`)
    this.line()
  }

  private taskLine(
    number: number,
    { id, title, state }: Pick<TaskVerdict, 'id' | 'title' | 'state'>,
    early = false,
  ): void {
    const { green, red, yellow, dim } = this.ink
    const mark =
      state === 'passed' ? green('✔') : state === 'limited' ? yellow('–') : early ? dim('·') : red('✘')
    const text = ` ${number}  ${id.padEnd(12)} ${title}`
    this.line(`   ${mark}${early ? dim(text) : text}`)
  }

  /**
   * Prints why a task failed (what stopped it, what the checks found, where its tape differs), or what to do if nothing is
   * written for it yet.
   */
  private failure(task: TaskVerdict, { problem, written }: Verdict, text: string): void {
    const { red, yellow } = this.ink
    this.line()
    // an error from code for a later task would only confuse
    if (problem && task.missing.length > 0) this.problem(problem)
    for (const check of task.checks.filter(({ ok }) => ok === false))
      this.check(
        { claim: check.claim },
        { ok: false, evidence: check.evidence, ...(check.diagnosis && { diagnosis: check.diagnosis }) },
      )
    if (task.missing.length && !problem)
      for (const line of wrap(`it did not come to: ${task.missing.join(', ')}`, this.width - 8))
        this.line(red(`      ${line}`))
    if (!written) {
      this.line()
      this.note(text)
    }
    if (task.difference)
      for (const [i, line] of wrap(task.difference, this.width - 10).entries())
        this.line(`   ${i ? ' ' : yellow('≠')}  ${this.code(line)}`)
    this.line()
  }

  /** Prints what stopped the learner's code, with its line. */
  problem({ what, at, remedy }: Problem): void {
    const { red, cyan, dim } = this.ink
    for (const line of wrap(what, this.width - 8)) this.line(red(`      ${line}`))
    if (at)
      this.line(
        `      ${cyan(`${at.file}:${at.line}`)}  ${dim(fit(at.text, this.width - 12 - at.file.length))}`,
      )
    if (remedy) this.note(remedy)
  }

  /** Prints what to do in a lab, and what comes next. */
  lab(exercise: Exercise, file: string, progress: Progress): void {
    const { bold, dim } = this.ink
    const { number, name, title, goal, manPages, tasks } = exercise
    const now = taskAt(progress, exercise)
    this.head(` Lab ${number} · ${name} `)
    this.line(bold(` ${title}`))
    this.line()
    for (const line of wrap(goal, this.width - 2)) this.line(` ${this.code(line)}`)
    for (const line of wrap(`man pages: ${manPages.join(', ')}`, this.width - 2)) this.line(dim(` ${line}`))
    this.line()
    for (const [i, task] of tasks.entries()) {
      const open = isOpen(progress, exercise, task.id)
      this.taskLine(i + 1, { ...task, state: open ? 'failed' : 'passed' }, open)
      if (task === now) {
        this.line()
        for (const line of wrap(task.text, this.width - 8)) this.line(`      ${this.code(line)}`)
        this.line()
      }
    }
    this.line()
    this.note(`Your file: \`${shown(file)}\``)
    this.note(
      now
        ? `Write, and look what the kernel says: \`minilab watch ${number}\`, or \`minilab check ${number}\` each time. See it done by us: \`minilab step ${number}\``
        : `All its tasks are passed. For more: ${exercise.challenge}`,
    )
    this.line()
  }

  /** Prints the hints of the current task that were asked for so far; all hints once all tasks are passed. */
  hints(exercise: Exercise, progress: Progress): void {
    const { number } = exercise
    const task = taskAt(progress, exercise)
    if (!task) {
      for (const passed of exercise.tasks) this.hintsOf(exercise, passed, 3)
      return this.note(
        `All tasks of lab ${number} are passed. Our way to write it: \`minilab solution ${number}\``,
      )
    }
    const read = hintsRead(progress, exercise, task.id)
    this.hintsOf(exercise, task, read)
    this.note(
      read < 3
        ? `Another one: \`minilab hint ${number}\``
        : `Beside the reference: \`minilab diff ${number}\``,
    )
  }

  private hintsOf({ number, tasks }: Exercise, task: Task, read: number): void {
    const { bold, dim } = this.ink
    this.line(bold(` Lab ${number}, task ${tasks.indexOf(task) + 1}: ${task.title}`))
    this.line()
    for (const [i, hint] of task.hints.slice(0, read).entries())
      for (const [j, line] of wrap(hint, this.width - 10).entries())
        this.line(`   ${j ? '    ' : dim(`${i + 1}/3 `)} ${this.code(line)}`)
    this.line()
  }

  /** Prints all labs, a line each. */
  list(exercises: readonly Exercise[], progress: Progress, current: number): void {
    const { bold, green, dim } = this.ink
    for (const exercise of exercises) {
      const passed = exercise.tasks.filter(({ id }) => !isOpen(progress, exercise, id)).length
      const all = passed === exercise.tasks.length
      const text = ` ${exercise.number}  ${exercise.name.padEnd(12)} ${passed} of ${exercise.tasks.length}   ${exercise.title}`
      this.line(`  ${all ? green('✔') : dim('·')}${exercise.number === current ? bold(text) : text}`)
    }
    this.line()
  }

  /** Prints the available keys. */
  keys(keys: readonly string[]): void {
    for (const line of joined(keys, this.width - 1)) this.line(this.ink.dim(` ${line}`))
  }
}
