# The launchpad, x86-64. Assembled by hand into launchpad.ts; test/kernel/launchpad.test.ts assembles this file and compares.
# Why it exists: between clone3 and execve no JavaScript can run (V8's other threads are not in the child), so the
# child runs this: it replays the recorded system calls, one op of 128 bytes after the other, and then leaves or execs.
#
#   op:  0 nr   8..55 args[6]   56 result   64 min   72 save (list of addresses, 0-terminated)   80 max   88 time stamp   96 allowed[2]
#        112 under   120 over: the op where it goes on if result < min, or result > max; 0: it ends there
#   the op behind the last one holds time stamps: 80 just before clone3, 88 just after the parent came back, 96 when the second
#   stage was over; and for that stage two descriptors of its tape: 8 the child's, 16 ours (second-stage.ts)
.intel_syntax noprefix
.text
ticks:                        # ticks() -> the time stamp counter
  rdtsc
  shl rdx, 32
  or rax, rdx
  ret
.org 16, 0xcc
launch:                       # launch(clone_args, size, ops, end) -> what clone3 returned to the parent
  mov r8, rdx
  mov r9, rcx
  rdtsc
  shl rdx, 32
  or rax, rdx
  mov [r9+80], rax
  mov eax, 435                # clone3(rdi, rsi)
  syscall
  test rax, rax
  jz 1f
  mov r10, rax                # the parent: CLONE_VFORK held it here until the child's execve or exit
  rdtsc
  shl rdx, 32
  or rax, rdx
  mov [r9+88], rax
  test r10, r10
  js 9f                       # there is no child
  mov edi, [r9+8]
  test edi, edi
  jz 9f                       # there is no second stage
  mov eax, 3                  # close(the child's descriptor of the tape): now only the child has it
  syscall
8: mov edi, [r9+16]           # flock(ours, LOCK_EX): until the child has let go of the tape
  mov esi, 2
  mov eax, 73
  syscall
  cmp rax, -4                 # EINTR
  je 8b
  rdtsc
  shl rdx, 32
  or rax, rdx
  mov [r9+96], rax
9: mov rax, r10
  ret
1: mov rbx, r8                # the child: rbx = this op, rbp = the end
  mov rbp, r9
.Lnext:
  cmp rbx, rbp
  jae 6f
  rdtsc
  shl rdx, 32
  or rax, rdx
  mov [rbx+88], rax
  mov rax, [rbx]
  mov rdi, [rbx+8]
  mov rsi, [rbx+16]
  mov rdx, [rbx+24]
  mov r10, [rbx+32]
  mov r8, [rbx+40]
  mov r9, [rbx+48]
  syscall
  mov [rbx+56], rax           # memory is shared (CLONE_VM): the parent reads this result afterwards
  cmp rax, [rbx+96]
  je 4f                       # refused, as was expected
  cmp rax, [rbx+104]
  je 4f
  cmp rax, [rbx+64]
  jl .Lunder                  # result < min: failed, unless it branches
  cmp rax, [rbx+80]
  jg .Lover                   # result > max: this half is done (the parent half of a second clone3), unless it branches
  mov rcx, [rbx+72]
  test rcx, rcx
  jz 4f
3: mov rdx, [rcx]             # copy the result into the arguments of later ops
  test rdx, rdx
  jz 4f
  mov [rdx], rax
  add rcx, 8
  jmp 3b
4: sub rbx, -128              # add 128, which is a longer instruction
  jmp .Lnext
.Lunder:
  mov rbx, [rbx+112]
  test rbx, rbx
  jnz .Lnext
.Lfailed:
  mov edi, 127
  jmp 7f
.Lover:
  mov rbx, [rbx+120]
  test rbx, rbx
  jnz .Lnext
6: xor edi, edi
7: mov eax, 231               # exit_group(edi)
  syscall
  ud2
.org 320, 0xcc
heard:                        # a signal handler, heard(signal): it writes the number to a pipe. Data follow, see signals.ts
  push rdi
  mov eax, 1                  # write(pipe, &signal, 4)
  mov edi, [rip+pipe]
  mov rsi, rsp
  mov edx, 4
  syscall
  pop rdi
  ret
.org 352, 0xcc
restorer:                     # sigreturn(2): where a handler returns to
  mov eax, 15
  syscall
.org 368, 0xcc
pipe:
  .long 0
.org 384, 0xcc
standalone:                   # where a program begins that is nothing but a tape: second-stage.ts. Descriptor 9 has the tape
  mov edi, 0x10000000         # mmap(0x10000000, 16 MiB, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 9, 0)
  mov esi, 0x1000000
  mov edx, 3
  mov r10d, 0x11
  mov r8d, 9
  xor r9d, r9d
  mov eax, 9
  syscall
  cmp rax, rdi
  jne .Lnotape
  mov rbx, [rdi]              # its first two words: where the ops begin, and where they end
  mov rbp, [rdi+8]
  jmp .Lnext
.Lnotape:                     # a program in the container has executed our file: it finds no other in /proc/self/exe
  mov edi, 2                  # write(2, …)
  lea rsi, [rip+.Lsays]
  mov edx, offset .Lend-.Lsays
  mov eax, 1
  syscall
  jmp .Lfailed
.Lsays:
  .ascii "exec /proc/self/exe: no such file or directory\n"
.Lend:
