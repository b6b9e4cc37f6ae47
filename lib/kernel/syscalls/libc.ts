import koffi from 'koffi'

export { koffi }

const library = koffi.load(null)

/** The few C functions that all other code is built on. */
export const libc = {
  syscall: library.func(
    'int64_t syscall(int64_t nr, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f)',
  ),
  mmap: library.func('void *mmap(void *addr, size_t len, int prot, int flags, int fd, int64_t offset)'),
  mprotect: library.func('int mprotect(void *addr, size_t len, int prot)'),
}
