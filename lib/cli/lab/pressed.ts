/** q, Ctrl-C and Ctrl-D, even several at once. */
const END = 'q\x03\x04'
/** A terminal puts pasted text between these if asked to: xterm's ctlseqs, "Bracketed Paste Mode". */
const PASTE = { on: '\x1b[?2004h', off: '\x1b[?2004l', begins: '\x1b[200~', ends: '\x1b[201~' }

/**
 * Reports each key; resolves at q, Ctrl-C, Ctrl-D, or when the terminal goes away. Pasted text is ignored: text in brackets or, from
 * a terminal without them, several characters at once. Rejects if the callback fails.
 */
export async function pressed(tell: (key: string) => void): Promise<void> {
  const { stdin, stdout } = process
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  stdout.write(PASTE.on)
  let isPasting = false
  try {
    await new Promise<void>((resolve, reject) => {
      stdin.on('end', resolve)
      stdin.on('data', (text: string) => {
        if (text.includes(PASTE.begins)) isPasting = true
        if (text.includes(PASTE.ends)) isPasting = false
        else if (!isPasting && text.split('').every(key => END.includes(key))) resolve()
        else if (!isPasting && text.length === 1) {
          try {
            tell(text)
          } catch (error) {
            reject(error as Error)
          }
        }
      })
    })
  } finally {
    stdin.removeAllListeners('data')
    stdout.write(PASTE.off)
    stdin.setRawMode(false)
    stdin.pause()
  }
}
