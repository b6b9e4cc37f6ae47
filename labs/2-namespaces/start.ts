// Lab 2: the same kernel, seen through separate windows.   The tasks: minilab lab 2   Look again: minilab check 2
// Import what else you need from 'minilab': constants such as CLONE_NEWUTS and MS_REC, and the function writeControl.
import { type Part } from 'minilab'

export const namespaces: Part = {
  name: 'namespaces',

  /** At the clone, by us: the CLONE_NEW* flags that it needs, combined with `|`. */
  flags(spec) {
    // TODO 1: a uts namespace
    // TODO 2: a pid namespace
    // TODO 3: all that spec.linux.namespaces asks for, a list such as [{ type: 'uts' }, { type: 'mount' }]
    return 0
  },

  /** On the host, while the child `pid` waits for us: `writeControl(path, text)` writes to a kernel file. */
  attach({ spec }, pid) {
    // TODO 4a: who its users are outside: spec.linux.uidMappings, a list of { containerID, hostID, size }; and its groups
  },

  /** In the child, after that: what it does to itself. */
  inside(tape, { spec }) {
    // TODO 4b: become root of the new user namespace
    // TODO 3: one kind must be made here, not at the clone
    // TODO 5: let no mount travel between its mount namespace and ours
    // TODO 1: take the name spec.hostname
  },
}
