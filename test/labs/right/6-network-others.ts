import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { ASKED, HOST_UP, INSIDE, LO, NONE, UP } from '../lines/6-network.ts'

const IMPORT = 'import { openRtnetlink'
const HOST = '    const host = openRtnetlink()\n'
const TRY = '    try {\n'
const FINALLY = '    } finally {\n      host.close()\n      inside.close()\n    }\n'

export const others: RightAnswer[] = [
  {
    task: 'loopback',
    name: 'a stack that closes by itself',
    edits: [
      [INSIDE, `    using stack = new DisposableStack()\n${INSIDE}    stack.defer(() => inside.close())\n`],
      [HOST, `${HOST}    stack.defer(() => host.close())\n`],
      [TRY, '    {\n'],
      [FINALLY, '    }\n'],
    ],
  },
  {
    task: 'loopback',
    name: 'a promise returned, by a function that is not async',
    edits: [
      ['  async attach(container, pid) {', '  attach(container, pid) {'],
      [INSIDE, '    return openRtnetlinkIn(pid).then(inside => {\n'],
      [FINALLY, `${FINALLY}    })\n`],
    ],
  },
  {
    task: 'loopback',
    name: 'a helper that opens, works and closes',
    edits: [
      [
        'export const network',
        'type Net = ReturnType<typeof openRtnetlink>\nconst using = async (opening: Net | Promise<Net>, work: (net: Net) => unknown) => {\n  const net = await opening\n  try {\n    await work(net)\n  } finally {\n    net.close()\n  }\n}\n\nexport const network',
      ],
      [INSIDE, '    await using(openRtnetlinkIn(pid), inside => using(openRtnetlink(), host => {\n'],
      [HOST, ''],
      [TRY, ''],
      [FINALLY, '    }))\n'],
    ],
  },
  {
    task: 'loopback',
    name: 'twice, and in mode none by a return of nothing',
    edits: [
      [LO, ''],
      [NONE, "      if (mode === 'none') return void inside.setUp('lo')\n"],
      [UP, `${LO}${UP}${LO}`],
    ],
  },
  {
    task: 'cable',
    name: 'with a hardware address and a longest packet of its own',
    edits: [
      [
        UP,
        "        inside.setMac('eth0', `02:42:00:00:00:${hostLink.at(-1)!.padStart(2, '0')}`)\n        inside.setMtu('eth0', 1400)\n" +
          UP,
      ],
    ],
  },
  {
    task: 'cable',
    name: 'both ends up by a loop',
    edits: [
      [HOST_UP, ''],
      [
        UP,
        "        for (const [net, link] of [[inside, 'eth0'], [host, hostLink]] as const) net.setUp(link)\n",
      ],
    ],
  },
  {
    task: 'switch',
    name: 'isolated where that is asked for',
    edits: [[HOST_UP, `${HOST_UP}        if (container.network?.isolated) host.isolate(hostLink)\n`]],
  },
  {
    task: 'route',
    name: "by the bridge's address, with its length",
    edits: [
      ['via: gateway', 'via: bridgeAddress'],
      ['bridgeAddress, address, gateway', 'bridgeAddress, address'],
    ],
  },
  {
    task: 'second',
    name: 'the names in /sys',
    edits: [
      [IMPORT, `import { readdirSync } from 'node:fs'\n${IMPORT}`],
      [ASKED, "if (!readdirSync('/sys/class/net').includes(bridge)) {"],
    ],
  },
]
