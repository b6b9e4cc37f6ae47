// The launchpad, arm64: see launchpad.x64.S for the why and the layout of an op.
.text
ticks:                        // ticks() -> the virtual counter (its rate is in cntfrq_el0)
  isb
  mrs x0, cntvct_el0
  ret
.balign 16, 0
launch:                       // launch(clone_args, size, ops, end) -> what clone3 returned to the parent
  mov x9, x2
  mov x10, x3
  isb
  mrs x11, cntvct_el0
  str x11, [x10, #80]
  mov x8, #435                // clone3(x0, x1)
  svc #0
  cbz x0, 1f
  isb
  mrs x11, cntvct_el0
  str x11, [x10, #88]
  mov x12, x0
  tbnz x12, #63, 9f
  ldr w0, [x10, #8]
  cbz w0, 9f
  mov x8, #57                 // close(the child's descriptor of the tape)
  svc #0
8: ldr w0, [x10, #16]         // flock(ours, LOCK_EX)
  mov x1, #2
  mov x8, #32
  svc #0
  cmn x0, #4                  // EINTR
  b.eq 8b
  isb
  mrs x11, cntvct_el0
  str x11, [x10, #96]
9: mov x0, x12
  ret
1: mov x19, x9                // the child: x19 = this op, x20 = the end
  mov x20, x10
.Lnext:
  cmp x19, x20
  b.hs 6f
  isb
  mrs x9, cntvct_el0
  str x9, [x19, #88]
  ldp x8, x0, [x19]
  ldp x1, x2, [x19, #16]
  ldp x3, x4, [x19, #32]
  ldr x5, [x19, #48]
  svc #0
  str x0, [x19, #56]
  ldp x9, x10, [x19, #96]
  cmp x0, x9
  b.eq 4f
  cmp x0, x10
  b.eq 4f
  ldr x9, [x19, #64]
  cmp x0, x9
  b.lt .Lunder
  ldr x9, [x19, #80]
  cmp x0, x9
  b.gt .Lover
  ldr x9, [x19, #72]
  cbz x9, 4f
3: ldr x10, [x9], #8
  cbz x10, 4f
  str x0, [x10]
  b 3b
4: add x19, x19, #128
  b .Lnext
.Lunder:
  ldr x19, [x19, #112]
  cbnz x19, .Lnext
.Lfailed:
  mov x0, #127
  b 7f
.Lover:
  ldr x19, [x19, #120]
  cbnz x19, .Lnext
6: mov x0, #0
7: mov x8, #94                // exit_group(x0)
  svc #0
  brk #0
.org 320
heard:                        // heard(signal): see launchpad.x64.S
  str x0, [sp, #-16]!
  ldr w0, pipe
  mov x1, sp
  mov x2, #4
  mov x8, #64                 // write(pipe, &signal, 4)
  svc #0
  ldr x0, [sp], #16
  ret
.org 352
restorer:                     // rt_sigreturn(2)
  mov x8, #139
  svc #0
.org 368
pipe:
  .word 0
.org 384
standalone:                   // see launchpad.x64.S
  mov x0, #0x10000000         // mmap(0x10000000, 16 MiB, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 9, 0)
  mov x1, #0x1000000
  mov x2, #3
  mov x3, #0x11
  mov x4, #9
  mov x5, #0
  mov x8, #222
  svc #0
  mov x9, #0x10000000
  cmp x0, x9
  b.ne .Lnotape
  ldp x19, x20, [x0]          // where the ops begin, and where they end
  b .Lnext
.Lnotape:
  mov x0, #2                  // write(2, …)
  adr x1, .Lsays
  mov x2, #.Lend-.Lsays
  mov x8, #64
  svc #0
  b .Lfailed
.Lsays:
  .ascii "exec /proc/self/exe: no such file or directory\n"
.Lend:
