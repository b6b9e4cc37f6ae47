import { constants } from 'node:os'
import { diagnose } from '../syscalls/diagnose.ts'
import { koffi } from '../syscalls/libc.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

const library = koffi.load(null)
const c = {
  dlsym: library.func('void *dlsym(void *handle, const char *name)'),
  sem_init: library.func('int sem_init(void *semaphore, int shared, unsigned int value)'),
  sem_post: library.func('int sem_post(void *semaphore)'),
  pthread_create: library.func(
    'int pthread_create(_Out_ uint64_t *thread, void *attributes, void *start, void *argument)',
  ),
  pthread_join: library.func('int pthread_join(uint64_t thread, void **result)'),
}
const SEM_SIZE = 32 // bytes of a sem_t: bits/semaphore.h

/** The threads of libuv's pool, all started when it is first used: bin.mjs. */
export const POOL = Number(process.env.UV_THREADPOOL_SIZE) || 4
/** Node's initial threads: its main thread, four V8 workers, one for delayed tasks, one that waits for SIGUSR1. */
const NODE = 7
/** What a second minilab process needs to launch a child. */
export const OURSELVES = NODE + POOL + 1

/**
 * Throws the SyscallError of a clone3 if the limits on processes (setrlimit(2), RLIMIT_NPROC; pids.max) do not allow this many
 * more processes and threads. Node and libuv do not report that: they abort, or wait for ever for a thread that was never started. The
 * current count towards a limit cannot be read, so all of them are started for a moment.
 */
export function needTasks(count: number): void {
  const semaphore = Buffer.alloc(SEM_SIZE)
  c.sem_init(semaphore, 0, 0)
  const wait: unknown = c.dlsym(null, 'sem_wait')
  const threads: bigint[] = []
  while (threads.length < count) {
    const thread: [bigint] = [0n]
    if (c.pthread_create(thread, null, wait, semaphore) !== 0) break
    threads.push(thread[0])
  }
  for (const _ of threads) c.sem_post(semaphore)
  for (const thread of threads) c.pthread_join(thread, null)
  if (threads.length === count) return
  const { EAGAIN } = constants.errno
  throw new SyscallError('clone3', `${count} times`, EAGAIN, undefined, diagnose('clone3', [], EAGAIN))
}
