import { openRtnetlink, openRtnetlinkIn, type Part, withCable } from 'minilab'

export const network: Part = {
  name: 'network',

  async attach(container, pid) {
    const mode = container.network?.mode
    if (mode === undefined || mode === 'host') return // it has the host's own interfaces
    // a netlink socket always belongs to the network namespace in which it was opened: so one for each side
    const inside = await openRtnetlinkIn(pid)
    const host = openRtnetlink()
    try {
      inside.setUp('lo')
      if (mode === 'none') return
      withCable(container, pid, ({ hostLink, bridge, bridgeAddress, address, gateway }) => {
        // the bridge is on the host, for all containers: the first container makes it
        if (!host.links().some(link => link.name === bridge)) {
          host.addBridge(bridge)
          host.addAddress(bridge, bridgeAddress)
          host.setUp(bridge)
        }
        host.addVeth(hostLink, 'eth0', { pid })
        host.setMaster(hostLink, bridge)
        host.setUp(hostLink)
        inside.addAddress('eth0', address)
        inside.setUp('eth0')
        // a gateway must be on a network that the container is already on: so the route comes last
        inside.addRoute({ to: 'default', via: gateway })
      })
    } finally {
      host.close()
      inside.close()
    }
  },
}
