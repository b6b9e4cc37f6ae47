import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import { makeDir } from '../../image/data-folder.ts'
import type { Part } from '../part.ts'
import type { MountSpec } from '../spec.ts'

/** The files that tell programs their own host name, other hosts and their name servers: written as Docker does. */
const ETC_FILES = ['hosts', 'hostname', 'resolv.conf'] as const

/** The bind mounts of the three files over those of the image, from the container's folder. */
export const etcMounts = (folder: string, readOnly: boolean): MountSpec[] =>
  ETC_FILES.map(file => ({
    destination: `/etc/${file}`,
    source: join(folder, file),
    type: 'bind',
    options: ['rbind', 'rprivate', ...(readOnly ? ['ro'] : [])],
  }))

/** Writes them once the network has given the container its address; they are mounted after that. */
export function etcFiles(folder: string): Part {
  return {
    name: 'root',
    attach({ spec: { hostname = 'localhost', mounts }, network, cable }) {
      makeDir(folder, 0o700)
      const contents: Record<(typeof ETC_FILES)[number], string> = {
        hosts: network?.mode === 'host' ? readIfThere('/etc/hosts') : hosts(hostname, cable?.address),
        hostname: `${hostname}\n`,
        'resolv.conf': network?.mode === 'bridge' ? reachable(resolvConf()) : resolvConf(),
      }
      for (const file of ETC_FILES) {
        const path = join(folder, file)
        if (!mounts.some(({ source }) => source === path)) continue
        writeFileSync(path, contents[file])
        chmodSync(path, 0o644) // readable for every user in the container, whatever our umask
      }
    },
  }
}

const hosts = (name: string, address?: string) =>
  [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...(address
      ? [`${address}\t${[name, ...(name.includes('.') ? [name.split('.')[0]] : [])].join(' ')}`]
      : []),
    '',
  ].join('\n')

const STUB = '127.0.0.53'
/** In which systemd-resolved lists the servers that it asks: systemd-resolved.service(8). */
const UPSTREAM = '/run/systemd/resolve/resolv.conf'

/** The host's resolv.conf(5); if that names only systemd-resolved's stub, the servers behind it. */
function resolvConf(): string {
  const text = readIfThere('/etc/resolv.conf')
  const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, server]) => server)
  return servers.length > 0 && servers.every(server => server === STUB) && existsSync(UPSTREAM)
    ? readIfThere(UPSTREAM)
    : text
}

/** Without the servers on the host's loopback: the container has a different loopback. */
const reachable = (text: string) =>
  text
    .split('\n')
    .filter(line => {
      const server = /^\s*nameserver\s+(\S+)/.exec(line)?.[1]
      return !server || !isLoopback(server)
    })
    .join('\n')

const isLoopback = (server: string) => (isIPv4(server) && server.startsWith('127.')) || server === '::1'

const readIfThere = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '')
