// Runs a command in namespaces of its own, or with a container's rights: an environment for tests that needs no tool.
//   node within.ts '{"kinds": ["user", "mount"], "confined": true}' COMMAND…
import { defaultSpec } from '../../lib/container/default-spec.ts'
import { hardening } from '../../lib/container/parts/hardening.ts'
import { Ledger } from '../../lib/container/ledger/ledger.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { program } from '../../lib/container/parts/process.ts'
import { defaultProfile } from '../../lib/container/seccomp/seccomp-default.ts'
import type { NamespaceType } from '../../lib/container/spec.ts'
import { startParts } from '../../lib/container/start.ts'
import { defaultCapabilities } from '../../lib/kernel/process/capabilities.ts'
import { shellStatus } from '../../lib/kernel/process/child.ts'

export interface Within {
  /** in a user namespace every id is mapped to itself */
  kinds?: NamespaceType[]
  /** with the capabilities and the seccomp filter of Docker's containers */
  confined?: boolean
}

const [, , options = '{}', ...command] = process.argv
const { kinds = [], confined = false } = JSON.parse(options) as Within
const spec = defaultSpec('/', command, false)
spec.process.env = Object.entries(process.env).map(([name, value]) => `${name}=${value}`)
spec.process.cwd = process.cwd()
spec.linux.namespaces = kinds.map(type => ({ type }))
spec.linux.seccomp = defaultProfile([...defaultCapabilities])
const container = {
  id: 'within',
  spec,
  rootfs: '/',
  ledger: new Ledger(process.env.MINILAB_DATA ?? ''),
  diesWithUs: true,
}
const { child } = await startParts([namespaces, ...(confined ? [hardening] : []), program], container)
process.exitCode = shellStatus(await child.exit)
