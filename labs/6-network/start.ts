// Lab 6: a cable, a switch, and the way out.   The tasks: minilab lab 6   Look again: minilab check 6
// `attach` runs on the host, while the container's first process, `pid`, waits. Nothing here is recorded: import `openRtnetlink`
// (the host's links) and `openRtnetlinkIn` (those of a process); each method of what they give is one request to the kernel.
import { type Part, withCable } from 'minilab'

export const network: Part = {
  name: 'network',

  async attach(container, pid) {
    const mode = container.network?.mode
    if (mode === undefined || mode === 'host') return // it has the host's own links
    // TODO 1: open the network settings of the container's namespace, and set its loopback `lo` up
    if (mode === 'none') return

    // names and addresses that are free; what is made under these names is deleted in the end. This function may not be async
    withCable(container, pid, ({ hostLink, bridge, bridgeAddress, address, gateway }) => {
      // TODO 2: on the host, a veth pair: `hostLink` here, `eth0` in the container. Both ends up
      // TODO 3: the bridge, with its address, up; and `hostLink` plugged into it
      // TODO 4: inside, the address of eth0
      // TODO 5: inside, the default route
      // TODO 6: a second container finds the bridge there already
    })
    // what you have opened has to be closed
  },
}
