// What a later attack on `run` and `exec` has found: a process without its first thread, a tracer, another pid namespace, homes.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { children } from '../../lib/kernel/process/procfs.ts'
import { isRoot, runMinilab, self, sharedData, userFolder } from '../support/minilab.ts'
import { noStrace } from '../support/strace.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const data = sharedData()[self]
const minilab = (...args: string[]) => runMinilab(args, { data })

/** A container in the background, gone after the test. */
async function background(name: string, flags: string[], command: string[]): Promise<void> {
  onTestFinished(async () => void (await minilab('rm', '-f', name)))
  const ran = await minilab('run', '-d', '--name', name, '--network', 'none', ...flags, 'default', ...command)
  expect(ran).toMatchObject({ status: 0, stderr: '' })
}

const ONLY_A_THREAD = `
#include <pthread.h>
#include <unistd.h>
static void *thread(void *x) { write(1, "on\\n", 3); sleep(1000); return 0; }
int main(void) { pthread_t t; pthread_create(&t, 0, thread, 0); pthread_exit(0); }
`

const noCompiler = spawnSync('gcc', ['--version']).error ? ' (gcc is not installed)' : ''
test.skipIf(noCompiler)(
  `a program whose first thread has ended still runs: ps, rm, exec and kill say so${noCompiler}`,
  async () => {
    const folder = userFolder(self)
    writeFileSync(join(folder, 'thread.c'), ONLY_A_THREAD)
    execFileSync('gcc', ['-static', '-o', join(folder, 'thread'), join(folder, 'thread.c'), '-lpthread'])
    await background('thread', ['-v', `${folder}:/vol:ro`], ['/vol/thread'])
    await expect.poll(async () => (await minilab('logs', 'thread')).stdout).toBe('on\n')
    const [state] = JSON.parse((await minilab('ps', '--json')).stdout) as { pid: number; status: string }[]
    expect(state?.status).toBe('running')
    await expect
      .poll(() => execFileSync('ps', ['-o', 'stat=', '-p', `${state?.pid}`], { encoding: 'utf8' }))
      .toMatch(/^Z/)
    expect((await minilab('rm', 'thread')).stderr).toMatch(/^minilab: thread is still running: [^\n]+\n$/)
    expect(await minilab('exec', 'thread', 'true')).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(
        /^minilab: the first thread of thread has ended, so nothing can join its namespaces: [^\n]+\n$/,
      ) as string,
    })
    expect(await minilab('kill', 'thread')).toMatchObject({ status: 0, stdout: 'thread\n' })
    await expect.poll(async () => (await minilab('ps', '-a')).stdout).toMatch(/exited \(137\)/)
    expect(await minilab('rm', 'thread')).toMatchObject({ status: 0, stderr: '' })
  },
)

/** Attaches to each process that comes, and waits for none: ptrace(2). */
const TRACER = `
#include <dirent.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>
static char seen[1 << 22];
int main(void) {
  seen[1] = seen[getpid()] = 1;
  for (;;) {
    DIR *d = opendir("/proc");
    for (struct dirent *e; (e = readdir(d));) {
      int pid = atoi(e->d_name);
      if (pid > 1 && !seen[pid] && ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) seen[pid] = 1;
    }
    closedir(d);
    usleep(1000);
  }
}
`

test.skipIf(noCompiler)(
  `a tracer inside that does not let the program of exec be reaped: a signal ends exec, with the program's status${noCompiler}`,
  async () => {
    const folder = userFolder(self)
    writeFileSync(join(folder, 'tracer.c'), TRACER)
    execFileSync('gcc', ['-static', '-o', join(folder, 'tracer'), join(folder, 'tracer.c')])
    await background('traced', ['-v', `${folder}:/vol:ro`], ['sh', '-c', '/vol/tracer & exec sleep 1000'])
    const words = [
      '--',
      ENTRY,
      'exec',
      'traced',
      'sh',
      '-c',
      // with builtins alone: the tracer holds each process that has ended, so a shell would wait for one for ever
      'until test "$tracer" -gt 0; do while read key value; do test $key != TracerPid: || tracer=$value; done </proc/self/status; done 2>/dev/null; exit 5',
    ]
    const child = spawn(process.execPath, words, {
      env: { ...process.env, MINILAB_DATA: data },
      stdio: 'ignore',
    })
    const exited = once(child, 'exit')
    // its parent is a keeper, a child of exec
    const programs = () =>
      spawnSync('ps', ['--ppid', children(child.pid!).join() || '0', '-o', 'stat='], { encoding: 'utf8' })
        .stdout
    await expect.poll(programs).toMatch(/^Z/)
    child.kill('SIGTERM')
    expect(await exited).toEqual([5, null])
  },
)

test.skipIf(noCompiler)(
  `a program that asks to be traced and stops has not ended: we are its tracer, and a kill ends it${noCompiler}`,
  async () => {
    const folder = userFolder(self)
    const program =
      '#include <signal.h>\n#include <sys/ptrace.h>\nint main(void) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGUSR1); }'
    writeFileSync(join(folder, 'stops.c'), program)
    execFileSync('gcc', ['-static', '-o', join(folder, 'stops'), join(folder, 'stops.c')])
    onTestFinished(async () => void (await minilab('rm', '-f', 'stops')))
    const words = `run --name stops --network none -v ${folder}:/vol:ro default /vol/stops`.split(' ')
    const ran = minilab(...words)
    const stat = async () => {
      const [state] = JSON.parse((await minilab('ps', '--json')).stdout) as { pid: number }[]
      return spawnSync('ps', ['-o', 'stat=', '-p', `${state?.pid}`], { encoding: 'utf8' }).stdout
    }
    await expect.poll(stat).toMatch(/^t/)
    expect(await minilab('kill', 'stops')).toMatchObject({ status: 0 })
    expect((await ran).status).toBe(128 + 9)
  },
)

test('exec -u sets HOME, unless the user or the image has set it', async () => {
  await background('given', ['-e', 'HOME=/given'], ['sleep', '1000'])
  await background('plain', [], ['sleep', '1000'])
  const home = async (name: string) =>
    (await minilab('exec', '-u', '1234', name, 'sh', '-c', 'echo $HOME')).stdout
  expect(await home('given')).toBe('/given\n')
  expect(await home('plain')).toBe('/\n')
})

// an ordinary user would have to be root in a user namespace for it
test.runIf(isRoot)('from another pid namespace: exec and kill say where the container runs', async () => {
  await background('there', [], ['sleep', '1000'])
  for (const command of [
    ['exec', 'there', 'true'],
    ['kill', 'there'],
  ]) {
    const { status, stderr } = await runMinilab(command, {
      data,
      wrapper: ['unshare', '-pf', '--mount-proc'],
    })
    expect([status, stderr]).toEqual([
      command[0] === 'exec' ? 125 : 2,
      expect.stringMatching(/^minilab: there runs in a different pid namespace: [^\n]+\n$/),
    ])
  }
})

// The kernel waits for the reaping of all that joined a pid namespace before its first process is gone. A shell stops a background job that
// uses its terminal.
test('an exec that is stopped does not keep the container from ending', async () => {
  const inside = 'until test -e /go; do sleep 0.05; done; exit 5'
  await background('ends', [], ['sh', '-c', inside])
  const child = spawn(
    process.execPath,
    ['--', ENTRY, 'exec', 'ends', 'sh', '-c', 'echo there; exec sleep 1000'],
    {
      env: { ...process.env, MINILAB_DATA: data },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  expect(await minilab('exec', 'ends', 'touch', '/go')).toMatchObject({ status: 0 })
  await expect.poll(async () => (await minilab('ps', '-a')).stdout).toMatch(/ends .*exited \(5\)/)
  child.kill('SIGCONT')
  expect(await exited).toEqual([137, null])
})

test.skipIf(noStrace)(
  `nor does one that is stopped before it has a pidfd of the program${noStrace}`,
  async () => {
    await background('waits', [], ['sleep', '1000'])
    const delay = ['-qqo', '/dev/null', '-e', 'inject=pidfd_open:delay_enter=300000'] // us
    const tracer = spawn(
      'strace',
      [...delay, process.execPath, '--', ENTRY, 'exec', 'waits', 'sleep', '1000'],
      {
        env: { ...process.env, MINILAB_DATA: data },
        stdio: 'ignore',
      },
    )
    onTestFinished(() => void tracer.kill('SIGKILL')) // and so what it traces is not stopped any more
    const exited = once(tracer, 'exit')
    const clients = () => children(tracer.pid!)
    const hasProgram = (client: number) => children(client).some(first => children(first).length > 0)
    while (!clients().some(hasProgram)) await setImmediate()
    const [client = 0] = clients()
    process.kill(client, 'SIGSTOP')
    expect(await minilab('rm', '-f', 'waits')).toMatchObject({ status: 0, stderr: '' })
    process.kill(client, 'SIGCONT')
    expect(await exited).toEqual([125, null])
  },
)
