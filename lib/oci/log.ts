import { appendFileSync, writeSync } from 'node:fs'
import { codeOf } from '../common/error-code.ts'

/** Where messages go: to a file (--log), which engines read for the last error, or to stderr. */
export interface Log {
  path: string | undefined
  format: string
}

/** One message, as runc writes it: as text or as JSON, one line each. Of an error the caller also gets a line on stderr. */
export function write({ path, format }: Log, level: 'error' | 'warning' | 'debug', message: string): void {
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  const line =
    format === 'json'
      ? JSON.stringify({ level, msg: message, time })
      : `time="${time}" level=${level} msg=${JSON.stringify(message)}`
  if (path === undefined) return print(line)
  try {
    appendFileSync(path, `${line}\n`, { mode: 0o644 })
  } catch (error) {
    print(`cannot write ${path} (${codeOf(error)})`)
  }
  if (level === 'error') print(message)
}

/** Without process.stderr, which would make the caller's pipe non-blocking. A caller that reads no more gets nothing. */
function print(line: string): void {
  try {
    writeSync(2, `${line}\n`)
  } catch {
    // the exit status tells
  }
}
