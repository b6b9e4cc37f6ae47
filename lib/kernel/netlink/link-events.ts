import { closing } from '../../common/descriptor.ts'
import {
  AF_NETLINK,
  NETLINK_ROUTE,
  RTMGRP_LINK,
  SO_RCVTIMEO,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
} from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import type { Rtnetlink } from './rtnetlink.ts'
import { timeval } from '../syscalls/sockaddr.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

const CHANGE_TIMEOUT = 3 // seconds between two changes of any link

/**
 * Waits until links of our own network namespace are running. A work queue reports that a veth's peer went up
 * (net/core/link_watch.c), so a moment after the request: until then a bridge drops packets that come in on the link.
 * Throws a SyscallError (EAGAIN) if that never happens.
 */
export function untilRunning(here: Rtnetlink, names: readonly string[]): void {
  using events = closing(now.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE))
  const timeout = timeval(CHANGE_TIMEOUT)
  now.setsockopt(events.fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length)
  now.bind(events.fd, changesOfLinks, changesOfLinks.length)
  // first subscribe, then ask: no change is missed in between
  while (!names.every(name => here.link(name).running)) nextChange(events.fd)
}

/** signal(7): a socket call with a timeout is interrupted by any signal, such as SIGCHLD, and not restarted. */
function nextChange(events: number): void {
  try {
    now.recvfrom(events, anyEvent, 1, 0, null, null)
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === 'EINTR')) throw error
  }
}

// struct sockaddr_nl {family, pad, pid, groups}: netlink(7)
const changesOfLinks = Buffer.alloc(12)
changesOfLinks.writeUInt16LE(AF_NETLINK)
changesOfLinks.writeUInt32LE(RTMGRP_LINK, 8)
const anyEvent = new Uint8Array(1) // its content does not matter: the rest of the datagram is cut off
