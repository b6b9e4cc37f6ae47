import { defaultSpec } from '../../lib/container/default-spec.ts'
import type { State } from '../../lib/container/state/state-shape.ts'
import { bootId } from '../../lib/kernel/process/procfs.ts'

/** The state of a container that has ended long ago, as `minilab run` would have written it. */
export function stateOf(id: string, changed: Partial<State> = {}): State {
  return {
    id,
    name: `name-${id}`,
    image: 'default',
    command: ['true'],
    created: '2000-01-01T00:00:00.000Z',
    ports: [],
    address: null,
    log: null,
    boot: bootId(),
    pid: 4194303,
    started: 1,
    keeper: { pid: 4194303, started: 1 },
    spec: defaultSpec('/', ['true'], false),
    exit: { status: 0, at: '2000-01-01T00:00:01.000Z' },
    ...changed,
  }
}
