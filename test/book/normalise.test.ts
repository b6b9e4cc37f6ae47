import { describe, expect, it } from 'vitest'
import { Normaliser } from './normalise.ts'

const normalise = (...lines: string[]) => new Normaliser().lines(lines)

describe('normalising', () => {
  it('gives the same value the same name, and others other names', () => {
    expect(normalise('host 21007', 'container 21019', '/proc/21007/status')).toEqual([
      'host ⟨pid 1⟩',
      'container ⟨pid 2⟩',
      '/proc/⟨pid 1⟩/status',
    ])
  })

  it.for([
    ['host 4026531833   container 4026532258', 'host ⟨ns 1⟩  container ⟨ns 2⟩'],
    ['/sys/fs/cgroup/pids/minilab/6f22b3-0/pids.max', '/sys/fs/cgroup/pids/minilab/⟨id 1⟩-0/pids.max'],
    [
      'host 65024:2  container 65024:2147043  newfstatat("/") as device:inode',
      'host ⟨inode 1⟩  container ⟨inode 2⟩  newfstatat("/") as device:inode',
    ],
    ['container 9e:74:c1:38:53:ce', 'container ⟨mac 1⟩'],
    ['from 10.44.0.2:47624 to 10.44.0.3:7', 'from 10.44.0.2:⟨port 1⟩ to 10.44.0.3:7'],
    ['… 30 more chdir calls, 20 µs in all', '… 30 more chdir calls, ⟨time⟩ in all'],
    ['the code: lib/container/parts/root.ts:65', 'the code: lib/container/parts/root.ts:⟨line⟩'],
  ])('%s', ([before, after]) => {
    expect(normalise(before!)).toEqual([after])
  })

  it.for([
    'container 67108864  memory.limit_in_bytes',
    'container 20000 of 100000 µs = 20.0 %',
    'quota for each period: 20 ms of every 100 ms.',
    'host 000001fffeffffff (40) container 00000000a80425fb (14)',
    'ip daddr 198.51.100.1 tcp dport 8080 counter dnat to 10.44.0.2:80',
    'a character device 0:0 of its name',
    'as runc once had (CVE-2024-21626). The program looks',
    'container /minilab/  host /',
    'container 137   $? after dd (128 + SIGKILL is 137)',
  ])('what is asked for is left as it is: %s', line => {
    expect(normalise(line)).toEqual([line])
  })

  it('keeps the columns of the tape and of evidence, whatever the values were', () => {
    const call = (time: string) =>
      `      │ chdir("/")                                                  = 0      ${time.padStart(10)}`
    const evidence = (id: number) => `      host 1   container 2${`/proc/${id}/status`.padStart(60)}`
    expect(normalise(call('1.1 µs'))).toEqual(normalise(call('104 µs')))
    expect(normalise(call('1.1 µs'))).toEqual([call('⟨time⟩')])
    expect(normalise(evidence(21007))[0]).toHaveLength(evidence(21007).length)
  })

  it('shows nowhere else how long a value was', () => {
    expect(normalise('ID            took     STATUS', '35bfff645f01  9.5 ms   running')).toEqual([
      'ID            took     STATUS',
      '⟨id 1⟩  ⟨time⟩  running',
    ])
  })
})
