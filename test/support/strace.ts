import { spawnSync } from 'node:child_process'

/** Why a test that delays system calls, or makes them fail, is skipped here: for its title. */
export const noStrace = spawnSync('strace', ['-V']).error ? ' (no strace: apt-get install strace)' : ''

/** In front of a command: strace writes what each process calls, and when, to a file of its own, `FILES.PID`. */
export const straced = (files: string): string[] => [
  'strace',
  '-ff',
  '-ttt',
  '-qq',
  '-s',
  '0',
  '-e',
  'signal=none',
  '-o',
  files,
]
