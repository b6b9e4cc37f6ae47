/** The value that a classic BPF program returns for an input, and in how many steps. Documentation/networking/filter.rst */
export function interpret(program: Uint8Array, input: Uint8Array): { value: number; steps: number } {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const data = new DataView(input.buffer, input.byteOffset, input.byteLength)
  let a = 0
  let at = 0
  for (let steps = 1; ; steps++) {
    const opcode = code.getUint16(at, true)
    const [yes, no, k] = [code.getUint8(at + 2), code.getUint8(at + 3), code.getUint32(at + 4, true)]
    at += 8
    if (opcode === 0x20) a = data.getUint32(k, true)
    else if (opcode === 0x54) a = (a & k) >>> 0
    else if (opcode === 0x05) at += 8 * k
    else if (opcode === 0x15) at += 8 * (a === k ? yes : no)
    else if (opcode === 0x25) at += 8 * (a > k ? yes : no)
    else if (opcode === 0x35) at += 8 * (a >= k ? yes : no)
    else if (opcode === 0x06) return { value: k, steps }
    else throw new Error(`opcode 0x${opcode.toString(16)} at ${at / 8 - 1}`)
  }
}
