// Lab 6: virtual interfaces, a bridge, and the way out.   The tasks: minilab lab 6   Look again: minilab check 6
// `attach` runs on the host, while the container's first process, `pid`, waits. Nothing here is recorded: import `openRtnetlink`
// (the host's interfaces) and `openRtnetlinkIn` (those of a process); each method of what they return is one request to the kernel.
import { type Part, withCable } from 'minilab'

export const network: Part = {
  name: 'network',

  async attach(container, pid) {
    const mode = container.network?.mode
    if (mode === undefined || mode === 'host') return // it has the host's own interfaces
    // TODO 1: open the network settings of the container's namespace, and set its loopback interface `lo` up
    if (mode === 'none') return

    // names and addresses that are free; what has these names is deleted at the end. This function must not be async
    withCable(container, pid, ({ hostLink, bridge, bridgeAddress, address, gateway }) => {
      // TODO 2: on the host, a veth pair: `hostLink` here, `eth0` in the container. Both ends up
      // TODO 3: the bridge, with its address, up; and `hostLink` attached to it
      // TODO 4: inside, the address of eth0
      // TODO 5: inside, the default route
      // TODO 6: a second container finds the existing bridge
    })
    // close what you have opened
  },
}
