import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { LO, NONE, without } from '../lines/6-network.ts'
import { addresses } from './6-network-addresses.ts'
import { bridge } from './6-network-bridge.ts'
import { cable } from './6-network-cable.ts'
import { second } from './6-network-second.ts'

const CLOSE = '      host.close()\n      inside.close()\n'
const FINALLY = `    } finally {\n${CLOSE}    }`

export const wrong: WrongAnswer[] = [
  {
    task: 'loopback',
    name: 'closed where all goes well only',
    belief: 'what is at the end of a function is reached',
    edits: [
      [
        "    try {\n      inside.setUp('lo')\n      if (mode === 'none') return\n",
        "    inside.setUp('lo')\n    if (mode === 'none') {\n      host.close()\n      inside.close()\n      return\n    }\n",
      ],
      [
        '    } finally {\n      host.close()\n      inside.close()\n    }\n',
        '    host.close()\n    inside.close()\n',
      ],
    ],
    says: 'belongs in `finally`',
  },
  {
    task: 'loopback',
    name: 'the try begins after lo',
    belief: 'a request that is made first does not fail',
    edits: [["    try {\n      inside.setUp('lo')\n", "    inside.setUp('lo')\n    try {\n"]],
    says: 'belongs in `finally`',
  },
  {
    task: 'loopback',
    name: 'left as it is',
    belief: 'lo is there in any case, so it is up',
    edits: without(LO),
    says: 'lo is down',
  },
  {
    task: 'loopback',
    name: 'set up on the host',
    belief: 'links are known by their names, wherever one asks',
    edits: [[LO, "      host.setUp('lo')\n"]],
    says: 'lo is down',
  },
  {
    task: 'loopback',
    name: 'only with a cable',
    belief: 'a container without a network needs no loopback',
    edits: [
      [LO, ''],
      [NONE, NONE + LO],
    ],
    says: 'lo is down',
  },
  {
    task: 'loopback',
    name: 'not awaited',
    belief: 'a connection is open as soon as one has asked for it',
    edits: [
      ['await openRtnetlinkIn(pid)', '(openRtnetlinkIn(pid) as never as ReturnType<typeof openRtnetlink>)'],
    ],
    says: 'is not a function',
  },
  {
    task: 'loopback',
    name: 'never closed',
    belief: 'a connection ends with its function',
    edits: [['      host.close()\n      inside.close()\n', '']],
    says: '`close` is never called',
  },
  {
    task: 'loopback',
    name: 'not closed in mode none',
    belief: 'only what was used has to be closed',
    edits: [['      inside.close()\n', "      if (mode !== 'none') inside.close()\n"]],
    says: 'the return in mode none',
  },
  {
    task: 'loopback',
    name: 'close named, not called',
    belief: 'to name a method is to call it',
    edits: [['      inside.close()\n', '      void inside.close\n']],
    says: '`close` is never called',
  },
  {
    task: 'loopback',
    name: 'closed at once, and in the end',
    belief: 'a connection can be used again after it was closed',
    edits: [[LO, `${LO}      inside.close()\n`]],
    says: 'closed already',
  },
  {
    task: 'loopback',
    name: 'then, and not awaited',
    belief: 'an async function waits for all the promises in it',
    edits: [
      [
        LO,
        "      openRtnetlinkIn(pid).then(mine => {\n        mine.setUp('lo')\n        mine.close()\n      })\n",
      ],
    ],
    says: 'nothing waits for the promise',
  },
  {
    task: 'loopback',
    name: 'closed where it throws only',
    belief: 'what ends well ends by itself',
    edits: [[FINALLY, `    } catch (error) {\n${CLOSE}      throw error\n    }`]],
    says: '`close` is never called',
  },
  ...cable,
  ...bridge,
  ...addresses,
  ...second,
]
