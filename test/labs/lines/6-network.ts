/** The lines of labs/6-network/solution.ts that answers change. */

export const INSIDE = '    const inside = await openRtnetlinkIn(pid)\n'
export const LO = "      inside.setUp('lo')\n"
export const NONE = "      if (mode === 'none') return\n"
export const ASKED = 'if (!host.links().some(link => link.name === bridge)) {'
export const BRIDGE = '          host.addBridge(bridge)\n'
export const BRIDGE_ADDRESS = '          host.addAddress(bridge, bridgeAddress)\n'
export const BRIDGE_UP = '          host.setUp(bridge)\n'
export const MAKE = BRIDGE + BRIDGE_ADDRESS + BRIDGE_UP
export const VETH = "        host.addVeth(hostLink, 'eth0', { pid })\n"
export const PLUG = '        host.setMaster(hostLink, bridge)\n'
export const HOST_UP = '        host.setUp(hostLink)\n'
export const ADDRESS = "        inside.addAddress('eth0', address)\n"
export const UP = "        inside.setUp('eth0')\n"
export const ROUTE = "        inside.addRoute({ to: 'default', via: gateway })\n"

/** The lines that a learner has not written yet, or has left out. */
export const without = (...lines: string[]) => lines.map((line): [string, string] => [line, ''])
