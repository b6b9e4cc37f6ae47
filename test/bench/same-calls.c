// The calls of a container's tape, made by a C program: what a start costs without JavaScript. `same-calls TAPE FLAGS ROUNDS` prints, for each
// round, the microseconds from just before the clone to the child's execve.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <errno.h>

// lib/kernel/tape/launchpad.x64.S has the layout
struct op {
  long nr;
  unsigned long args[6];
  long result, min;
  unsigned long **save;
  long max;
  unsigned long time;
  long allowed[2];
  struct op *under, *over;
};

struct tape {
  struct op *first, *end;
};

static int replay(void *tape) {
  struct op *op = ((struct tape *)tape)->first, *end = ((struct tape *)tape)->end;
  while (op < end) {
    unsigned long *a = op->args;
    long result = syscall(op->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result == -1) result = -errno;
    op->result = result;
    if (result != op->allowed[0] && result != op->allowed[1]) {
      if (result < op->min) {
        fprintf(stderr, "call %ld: result %ld\n", op->nr, result);
        _exit(127);
      }
      if (op->save)
        for (unsigned long **to = op->save; *to; to++) **to = result;
    }
    op++;
  }
  _exit(0);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st)) return 3;
  struct tape *tape = mmap((void *)0x10000000, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
  char *stack = malloc(1 << 16);
  for (int rounds = atoi(argv[3]); rounds > 0; rounds--) {
    double began = now();
    int pid = clone(replay, stack + (1 << 16), CLONE_VM | CLONE_VFORK | SIGCHLD | strtoul(argv[2], 0, 10), tape);
    double executed = now();
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status) return 4;
    printf("%.1f\n", executed - began);
  }
}
