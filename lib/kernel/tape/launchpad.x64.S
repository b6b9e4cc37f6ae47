# The launchpad, x86-64. Assembled by hand into launchpad.ts; test/kernel/launchpad.test.ts assembles this file and compares.
# Why it exists: between clone3 and execve no JavaScript can run (V8's other threads are not in the child), so the
# child runs this: it replays the recorded system calls, one op of 112 bytes after the other, and then leaves or execs.
#
#   op:  0 nr   8..55 args[6]   56 result   64 min   72 save (list of addresses, 0-terminated)   80 max   88 time stamp   96 allowed[2]
#   the op behind the last one holds two time stamps: 80 just before clone3, 88 just after the parent came back
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
  mov rax, r10
  ret
1: mov rbx, r8                # the child: rbx = this op, rbp = the end
  mov rbp, r9
2: cmp rbx, rbp
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
  jl 5f                       # result < min: failed
  cmp rax, [rbx+80]
  jg 6f                       # result > max: this half is done (the parent half of a second clone3)
  mov rcx, [rbx+72]
  test rcx, rcx
  jz 4f
3: mov rdx, [rcx]             # copy the result into the arguments of later ops
  test rdx, rdx
  jz 4f
  mov [rdx], rax
  add rcx, 8
  jmp 3b
4: add rbx, 112
  jmp 2b
5: mov edi, 127
  jmp 7f
6: xor edi, edi
7: mov eax, 231               # exit_group(edi)
  syscall
  ud2
.org 224, 0xcc
heard:                        # a signal handler, heard(signal): it writes the number to a pipe. Data follow, see signals.ts
  push rdi
  mov eax, 1                  # write(pipe, &signal, 4)
  mov edi, [rip+pipe]
  mov rsi, rsp
  mov edx, 4
  syscall
  pop rdi
  ret
.org 256, 0xcc
restorer:                     # sigreturn(2): where a handler returns to
  mov eax, 15
  syscall
.org 272, 0xcc
pipe:
  .long 0
