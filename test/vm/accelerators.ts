import { accessSync, constants, readFileSync } from 'node:fs'
import type { Machine } from './machines.ts'
import { VmProblem } from './problem.ts'

export type Accelerator = 'kvm' | 'tcg'

/**
 * What to try in turn, and why. KVM only where there are signs that it works: a guest on a /dev/kvm that does not can hang
 * inside the kernel. What the signs cannot tell, the first byte on the console does. MINILAB_VM_ACCEL=kvm or tcg overrides.
 */
export function accelerators(machine: Machine): { list: Accelerator[]; why: string } {
  const wanted = process.env.MINILAB_VM_ACCEL
  if (wanted === 'kvm' || wanted === 'tcg') return { list: [wanted], why: 'MINILAB_VM_ACCEL says so' }
  if (wanted !== undefined) throw new VmProblem(`MINILAB_VM_ACCEL is ${wanted}: give it kvm or tcg`)
  const against = againstKvm(machine)
  return against === undefined
    ? { list: ['kvm', 'tcg'], why: '/dev/kvm looks usable' }
    : { list: ['tcg'], why: `no KVM: ${against}` }
}

function againstKvm(machine: Machine): string | undefined {
  if (machine.arch !== process.arch) return `the guest is ${machine.arch}, this machine ${process.arch}`
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
  } catch (error) {
    return (error as Error).message
  }
  // A hypervisor may offer /dev/kvm without the processor's help (PVM); then what is not made for it hangs.
  const flags = machine.arch === 'x64' ? / (vmx|svm) / : /^/
  if (!flags.test(readFileSync('/proc/cpuinfo', 'utf8')))
    return '/dev/kvm is there, but /proc/cpuinfo has neither vmx nor svm'
  return undefined
}
