import { ReadStream } from 'node:tty'
import { writeSync } from 'node:fs'
import { resize } from './terminal.ts'

/**
 * Connects our terminal with a container's: keys go there untouched (so Ctrl-C is the container's matter), its output
 * comes here, and it follows our size. Resolves to a function that ends it and gives our terminal back.
 */
export function pump(master: number, interactive: boolean): { done: Promise<void>; end(): void } {
  const { stdin, stdout } = process
  const follow = () => resize(master, stdout.rows ?? 24, stdout.columns ?? 80)
  follow()
  stdout.on('resize', follow)
  const output = new ReadStream(master)
  output.on('data', chunk => stdout.write(chunk))
  const done = new Promise<void>((resolve, reject) => {
    output.on('end', resolve)
    output.on('error', error => {
      // pty(7): once the last descriptor of the other side is closed, a read gives EIO, not end of file
      if ((error as NodeJS.ErrnoException).code === 'EIO') resolve()
      else reject(error)
    })
  })
  let open = true
  output.on('close', () => (open = false))
  // a key that comes when the container has ended is nobody's
  const send = (chunk: Buffer) => void (open && writeSync(master, chunk))
  if (interactive) {
    if (stdin.isTTY) stdin.setRawMode(true)
    stdin.on('data', send)
  }
  return {
    done,
    end() {
      stdout.off('resize', follow)
      stdin.off('data', send)
      if (interactive && stdin.isTTY) stdin.setRawMode(false)
      stdin.pause()
      output.destroy()
    },
  }
}
