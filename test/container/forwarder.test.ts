// The forwarder of a published port, between sockets of the loopback interface; docker-proxy as its judge. Its "container" is a sleep.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, readdirSync, readFileSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errnoNumber } from '../../lib/common/errno.ts'
import { forwarderTape, MAX_CONNECTIONS, startForwarders } from '../../lib/container/net/forwarder.ts'
import { listen } from '../../lib/container/net/publish.ts'
import { Ledger } from '../../lib/container/ledger/ledger.ts'
import { keepInherited } from '../../lib/kernel/process/inherited.ts'
import {
  children,
  descriptors,
  ifReadable,
  namespaceInode,
  pids,
  status,
} from '../../lib/kernel/process/procfs.ts'
import { freePort } from '../support/free-port.ts'
import { isRoot, thorough, userFolder } from '../support/minilab.ts'
import { interpret } from '../kernel/interpret.ts'
import { noStrace } from '../support/strace.ts'

const HOST = '127.0.0.1'
const hasProxy = spawnSync('docker-proxy', ['-h']).error === undefined

/** A server, whose connections may be half closed. */
async function serve(
  serveOne: (socket: Socket) => unknown,
): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    serveOne(socket)
  }).listen(0, HOST)
  await once(server, 'listening')
  const close = async () => {
    if (!server.listening) return
    server.close()
    for (const socket of sockets) socket.destroy()
    await once(server, 'close')
  }
  onTestFinished(close)
  return { port: (server.address() as { port: number }).port, close }
}

/** A connection to a port, which may be half closed. */
async function client(port: number): Promise<Socket> {
  const socket = createConnection({ port, host: HOST, allowHalfOpen: true })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

/** A forwarder to a port: the port of the host that it listens on. */
type Forward = (to: number) => Promise<number>

interface Ours {
  port: number
  pid: number
  /** ends its container */
  end(): Promise<void>
}

async function ours(to: number): Promise<Ours> {
  keepInherited()
  const container = spawn('sleep', ['1000'])
  const end = async () => {
    if (container.exitCode ?? container.signalCode) return
    container.kill('SIGKILL')
    await once(container, 'exit')
  }
  const port = await freePort()
  const socket = listen({ address: HOST, host: port, container: to })
  const ledger = new Ledger(userFolder())
  onTestFinished(async () => void (await ledger.settle()))
  onTestFinished(end)
  const [forwarder] = await startForwarders([socket], HOST, container.pid!, ledger)
  expect(ledger.entries).toEqual([{ kind: 'process', ...forwarder! }])
  return { port, pid: forwarder!.pid, end }
}

async function dockers(to: number): Promise<number> {
  const port = await freePort()
  const args = ['-proto', 'tcp', '-host-ip', HOST, '-host-port', String(port)]
  args.push('-container-ip', HOST, '-container-port', String(to))
  const proxy = spawn('docker-proxy', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  const over = once(proxy, 'exit')
  onTestFinished(async () => {
    proxy.kill('SIGKILL')
    await over
  })
  expect(String(await once(proxy.stdio[3]!, 'data'))).toBe('0\n') // it listens
  return port
}

/** The processes of a forwarder: their pids and states, such as S or Z. */
function processes(pid: number): { pid: number; state: string }[] {
  const namespace = namespaceInode(children(pid)[0]!, 'pid')
  return pids()
    .filter(one => ifReadable(() => namespaceInode(one, 'pid')) === namespace)
    .map(one => ({ pid: one, state: (ifReadable(() => status(one).State) ?? '')[0] ?? 'gone' }))
}

/** Writes so many bytes, as fast as they are taken, and ends its side; resolves to their checksum. */
async function send(socket: Socket, size: number): Promise<number> {
  const piece = Buffer.from(Array.from({ length: 65_521 }, (_, i) => i % 251)) // its length is prime, so pieces do not lie as a pipe's
  let sum = 0
  for (let left = size; left > 0; left -= piece.length) {
    const part = piece.subarray(0, left)
    sum = crc32(part, sum)
    if (!socket.write(part)) await once(socket, 'drain')
  }
  socket.end()
  return sum
}

/** Reads to the end of file: how many bytes came, and their checksum. */
async function receive(socket: Socket): Promise<[size: number, sum: number]> {
  let [size, sum] = [0, 0]
  for await (const bytes of socket as AsyncIterable<Buffer>) {
    size += bytes.length
    sum = crc32(bytes, sum)
  }
  return [size, sum]
}

const echo = (socket: Socket) => void socket.pipe(socket)
const KINDS: [string, Forward][] = [
  ['ours', async to => (await ours(to)).port],
  [`docker-proxy${hasProxy ? '' : ' (not here: apt-get install docker.io)'}`, dockers],
]

describe.each(KINDS)('%s', (name, forward) => {
  const it = test.skipIf(!isRoot || (name !== 'ours' && !hasProxy))

  it('a client that has ended its side still gets the answer', async () => {
    const { port } = await serve(async socket => socket.end(`got ${await text(socket)}`))
    const socket = await client(await forward(port))
    socket.end('all that I say')
    expect(await text(socket)).toBe('got all that I say')
  })

  it('a server that has ended its side still gets what the client says', async () => {
    const said = Promise.withResolvers<string>()
    const { port } = await serve(socket => {
      socket.end('no more from me')
      said.resolve(text(socket))
    })
    const socket = await client(await forward(port))
    expect(await text(socket)).toBe('no more from me')
    socket.end('but from me')
    expect(await said.promise).toBe('but from me')
  })

  it('where the container refuses a connection, the client reads end of file, and later ones are accepted', async () => {
    const server = await serve(echo)
    const port = await forward(server.port)
    await server.close()
    for (let i = 0; i < 3; i++) expect(await text(await client(port))).toBe('')
  })

  it.each(['client', 'server'])('where the %s breaks a connection off, the other side notices', async who => {
    const closed = Promise.withResolvers<void>()
    const { port } = await serve(socket => {
      socket.on('data', () => {
        if (who === 'server') socket.resetAndDestroy()
        else socket.write('!')
      })
      socket.on('end', () => socket.end())
      socket.on('close', () => closed.resolve())
    })
    const socket = await client(await forward(port))
    socket.write('?')
    if (who === 'server') expect(await text(socket).catch(() => '')).toBe('')
    else {
      await once(socket, 'data')
      socket.resetAndDestroy()
    }
    await closed.promise
  })

  it('asks a silent client whether it is still there', async () => {
    const port = await forward((await serve(echo)).port)
    const socket = await client(port)
    socket.write('!')
    await once(socket, 'data')
    const address = (of: number) => `0100007F:${of.toString(16).toUpperCase().padStart(4, '0')}`
    // proc_net_tcp.rst: the timer 02 is that of keepalive, in hundredths of a second
    const accepted = new RegExp(`${address(port)} ${address(socket.localPort!)} 01 \\S+ 02:([0-9A-F]+)`)
    const left = () => parseInt(accepted.exec(readFileSync('/proc/net/tcp', 'utf8'))?.[1] ?? '', 16)
    await expect.poll(left).toBeLessThanOrEqual(15 * 100) // not a retransmission that is still on its way
  })

  it('a client that reads slowly gets everything', async () => {
    const size = 2 ** 27 // more than the buffers of four sockets may take: tcp(7), tcp_rmem and tcp_wmem
    const sum = Promise.withResolvers<number>()
    let full = false
    const { port } = await serve(socket => {
      sum.resolve(send(socket, size))
      setInterval(() => (full = socket.writableLength > 0), 10).unref()
    })
    const socket = await client(await forward(port))
    await expect.poll(() => full, { interval: 50 }).toBe(true) // nobody reads: the server waits
    const got = await receive(socket)
    expect(got).toEqual([size, await sum.promise])
  })

  it.each([2 ** 26, ...thorough([2 ** 30])])('%i bytes pass unchanged, there and back', async size => {
    const { port } = await serve(echo)
    const socket = await client(await forward(port))
    const [sum, got] = await Promise.all([send(socket, size), receive(socket)])
    expect(got).toEqual([size, sum])
  })

  it('100 connections at once', async () => {
    const { port } = await serve(echo)
    const to = await forward(port)
    const sockets = await Promise.all(Array.from({ length: 100 }, () => client(to)))
    sockets.forEach((socket, i) => socket.write(`${i} `))
    for (const [i, socket] of sockets.entries()) expect(String(await once(socket, 'data'))).toBe(`${i} `)
    sockets.forEach(socket => socket.end('end'))
    expect(await Promise.all(sockets.map(socket => text(socket)))).toEqual(sockets.map(() => 'end'))
  })
})

const root = test.skipIf(!isRoot)

root('1000 connections one after the other leave no process and no descriptor behind', async () => {
  const { port } = await serve(echo)
  const { port: to, pid } = await ours(port)
  for (let i = 0; i < 1000; i++) {
    const socket = createConnection(to, HOST)
    socket.end(String(i))
    expect(String(await buffer(socket))).toBe(String(i))
  }
  await expect
    .poll(() =>
      processes(pid)
        .map(({ state }) => state)
        .join(''),
    )
    .toBe('SS')
  const [accepting] = children(pid)
  // the last connection is closed when the next one comes
  expect(Object.keys(descriptors(accepting!)).map(Number)).toEqual([0, 1, 2, 3])
})

root(
  'no client makes more processes than a port may have: more connections wait until others have ended',
  async () => {
    const { port } = await serve(echo)
    const { port: to, pid } = await ours(port)
    const sockets: Socket[] = []
    for (let i = 0; i < MAX_CONNECTIONS + 3; i++) sockets.push(await client(to))
    const [served, waiting] = [sockets.slice(0, MAX_CONNECTIONS), sockets.slice(MAX_CONNECTIONS)]
    let answered = 0
    for (const socket of waiting) {
      socket.on('data', () => answered++)
      socket.write('!')
    }
    await expect.poll(() => processes(pid).length).toBe(2 + 2 * MAX_CONNECTIONS)
    expect(answered).toBe(0)
    for (const socket of served.slice(0, 3)) socket.destroy()
    await expect.poll(() => answered).toBe(3)
    expect(processes(pid).length).toBe(2 + 2 * MAX_CONNECTIONS)
    for (const socket of sockets) socket.destroy()
    await expect.poll(() => processes(pid).length).toBe(2)
  },
)

root(
  'its processes have no other descriptors, and little memory; they end with the container, whoever is connected',
  async () => {
    const { port } = await serve(echo)
    const { port: to, pid, end } = await ours(port)
    const idle = await client(to)
    idle.write('!')
    await once(idle, 'data')
    const all = processes(pid)
    expect(all.length).toBe(4)
    const held = all.map(one => Object.keys(descriptors(one.pid)).join())
    expect(held).toEqual(['0,1,2,3,4', '0,1,2,3', '0,1,2,3,4,5,6,7', '0,1,2,3,4,5,6,7'])
    for (const one of all) expect(Number.parseInt(status(one.pid).VmRSS ?? '')).toBeLessThanOrEqual(24) // kB
    await end()
    expect(await text(idle).catch(() => '')).toBe('')
    await expect
      .poll(() => all.filter(one => ifReadable(() => status(one.pid))), { interval: 10 })
      .toEqual([])
    const again = listen({ address: HOST, host: to, container: port }) // the port is free
    closeSync(again.fd)
  },
)

root.each(['process 1', 'the process that accepts'])(
  'where %s is killed, no other process goes on, and the port is free',
  async which => {
    const { port } = await serve(echo)
    const { port: to, pid } = await ours(port)
    const idle = await client(to)
    idle.write('!')
    await once(idle, 'data')
    const all = processes(pid)
    process.kill(which === 'process 1' ? pid : children(pid)[0]!, 'SIGKILL')
    expect(await text(idle).catch(() => '')).toBe('')
    await expect
      .poll(() => all.filter(one => ifReadable(() => status(one.pid))), { interval: 10 })
      .toEqual([])
    const refused = createConnection(to, HOST)
    expect(await once(refused, 'error')).toMatchObject([{ code: 'ECONNREFUSED' }])
  },
)

// ─── the interpreter agrees with the machine code

const FAULTS = [
  ...['accept4:error=EMFILE:when=1', 'accept4:error=ECONNABORTED:when=1', 'clone:error=EAGAIN'],
  ...['socket:error=EMFILE', 'connect:error=ECONNREFUSED', 'pipe2:error=EMFILE'],
  ...['splice:error=EINTR:when=2', 'splice:error=EPIPE:when=3', 'splice:retval=3:when=2'], // a short count
]

/** The calls of a process as strace has noted them; undefined as the result of one that did not return. */
function traced(file: string): { call: string; result: bigint | undefined }[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.flatMap(line => {
    const [, call = '', result = '', code] = /^(\w+)\(.*\) += (-?\d+|\?)(?: (E[A-Z]+))?/.exec(line) ?? []
    const value = code ? -BigInt(errnoNumber(code)) : result === '?' ? undefined : BigInt(result || 0)
    return call && call !== 'restart_syscall' ? [{ call, result: value }] : []
  })
}

test.skipIf(!isRoot || noStrace !== '').for(FAULTS)(
  `the interpreter agrees with the machine code where %s${noStrace}; then it goes on`,
  async fault => {
    const { port } = await serve(echo)
    const { port: to, pid } = await ours(port)
    await expect.poll(() => children(pid).length).toBe(1)
    const [accepting = 0] = children(pid)
    const folder = userFolder()
    const args = ['-ff', '-p', String(accepting), '-o', join(folder, 'trace'), '-e', `inject=${fault}`]
    const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const over = once(strace, 'exit')
    await once(strace.stderr, 'data') // attached
    for (let i = 0; i < 2; i++) {
      const socket = await client(to)
      socket.end('hello')
      await text(socket).catch(() => '')
    }
    await expect.poll(() => processes(pid).length).toBe(2)
    strace.kill('SIGINT')
    await over
    const socket = await client(to)
    socket.end('and on')
    expect(await text(socket)).toBe('and on')

    const tape = forwarderTape({ address: HOST, port })
    const files = readdirSync(folder)
    for (const file of files) {
      const calls = traced(join(folder, file))
      // strace shows the call that it was in, or what came next
      const from = file.endsWith(`.${accepting}`) ? tape.ops.findLastIndex(({ call }) => call === 'close') : 0
      const begun = tape.ops.findIndex(({ call }, at) => call === calls[0]?.call && at >= from)
      const made = interpret(tape, (_, number) => calls[number]?.result, begun).map(({ call }) => call)
      const last = calls.at(-1)
      // the one that accepts waits in a call that strace does not show; where a call fails and does not branch, the machine code ends the process
      if (last?.call !== 'exit_group') made.pop()
      else if (made.length < calls.length) made.push('exit_group')
      expect(made).toEqual(calls.map(({ call }) => call))
    }
    expect(files.length).toBeGreaterThan(fault.startsWith('clone') ? 0 : 2)
  },
)
