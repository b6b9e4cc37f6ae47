import { spawnSync } from 'node:child_process'
import { existsSync, openSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import { namespaceInode } from '../../lib/kernel/process/procfs.ts'
import { ownFolder } from '../../lib/common/own-folder.ts'
import { canRecord, cannotRecord, Recorder } from './recording.ts'

describe.skipIf(!canRecord)(`a recording${cannotRecord ? ` (${cannotRecord})` : ''}`, () => {
  const recorder = new Recorder(ownFolder)

  it('is made in namespaces of its own', async () => {
    const kinds = ['mnt', 'uts', 'ipc', 'net', 'pid', 'cgroup'] as const
    const { output } = await recorder.make(
      `for kind in ${kinds.join(' ')}; do readlink /proc/self/ns/$kind; done`,
    )
    expect(output.match(/\d{10}/g)).toHaveLength(kinds.length)
    for (const kind of kinds) expect(output).not.toContain(String(namespaceInode('self', kind)))
  })

  it('finds minilab where a system has it, and changes neither this checkout nor what is in /root', async () => {
    const { output } = await recorder.make(
      'pwd; command -v minilab; touch /opt/minilab/mltest-left /root/mltest-left && ls /opt/minilab',
    )
    expect(output).toMatch(/^\/root\n\/opt\/bin\/minilab\n/)
    expect(output).toContain('mltest-left')
    expect(existsSync(join(ownFolder, 'mltest-left'))).toBe(false)
    expect(existsSync('/root/mltest-left')).toBe(false)
  })

  it('has no descriptor of whoever started it', async () => {
    const [F_DUPFD, high] = [0, 200] // Node takes care of the low ones itself
    const leaked = now.fcntl(openSync('/dev/null', 'r'), F_DUPFD, high)
    expect((await recorder.make('ls -1 /proc/self/fd')).output.split('\n')).not.toContain(String(leaked))
  })

  it('leaves no container behind that it has started, and no cgroup', async () => {
    const { output, status } = await recorder.make(
      'minilab run -d --network none default sleep 1000; echo /tmp/minilab-book-*',
    )
    const [, id = ''] = /^([0-9a-f]{12})$/m.exec(output) ?? []
    expect([id.length, status]).toEqual([12, 0])
    // find(1) goes on where another's cgroup has gone since it was listed
    const mounts = hierarchies().map(({ mount }) => mount)
    expect(spawnSync('find', [...mounts, '-name', `*${id}`], { encoding: 'utf8' }).stdout).toBe('')
  })

  it('is made once, however often it is asked for', async () => {
    const command = 'cat /proc/sys/kernel/random/uuid'
    const [one, two] = await Promise.all([recorder.make(command), recorder.make(command)])
    expect(one.output).toBe(two.output)
    expect((await recorder.makeAgain(command)).output).not.toBe(one.output)
  })

  it('ends what does not end by itself', async () => {
    const impatient = new Recorder(ownFolder, { seconds: 1 })
    await expect(impatient.make('sleep 1000')).rejects.toThrow('sleep 1000 did not end in 1 s')
  })

  it('takes its folder away', async () => {
    const { output } = await recorder.make('grep -o minilab-book-...... /proc/self/mountinfo | head -1')
    expect(output).toMatch(/^minilab-book-\w{6}\n$/)
    expect(readdirSync(tmpdir())).not.toContain(output.trim())
  })
})
