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
