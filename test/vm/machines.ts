/** What differs between the two guests. */
export interface Machine {
  arch: 'x64' | 'arm64'
  /** Debian's name for it */
  debian: string
  /** what qemu-user calls it */
  user: string
  qemu: {
    program: string
    package: string
    board: string
    /** the processor, where it is emulated */
    emulated: string
  }
  /** on the kernel's command line: its console, the first serial port, and what emulation asks for */
  kernel: string[]
}

export const machines: Record<Machine['arch'], Machine> = {
  x64: {
    arch: 'x64',
    debian: 'amd64',
    user: 'x86_64',
    qemu: {
      program: 'qemu-system-x86_64',
      package: 'qemu-system-x86',
      board: 'q35',
      emulated: 'max',
    },
    // its test of the timer counts interrupts in a moment that a busy host may not give it
    kernel: ['console=ttyS0', 'no_timer_check'],
  },
  arm64: {
    arch: 'arm64',
    debian: 'arm64',
    user: 'aarch64',
    qemu: {
      program: 'qemu-system-aarch64',
      package: 'qemu-system-arm',
      board: 'virt',
      emulated: 'max,pauth-impdef=on', // the architecture's own way to sign pointers is slow to emulate
    },
    kernel: ['console=ttyAMA0'],
  },
}
