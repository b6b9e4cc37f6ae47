import { expect, test } from 'vitest'
import {
  and,
  assemble,
  ifAtLeast,
  ifEqual,
  ifGreater,
  jump,
  load,
  ret,
} from '../../lib/kernel/seccomp/bpf.ts'
import type { Program } from '../../lib/kernel/seccomp/bpf.ts'
import { interpret } from './bpf-interpreter.ts'

const run = (program: Program, input: number) =>
  interpret(assemble(program), new Uint8Array(new Uint32Array([input]).buffer)).value

test('an instruction is encoded as struct sock_filter', () => {
  // ld [4]; jeq #0xc000003e, +0, +1; ret #0x7fff0000; ret #0
  const program = [load(4), ifEqual(0xc000003e, undefined, 'bad'), ret(0x7fff0000), 'bad', ret(0)]
  expect(Buffer.from(assemble(program)).toString('hex')).toBe(
    '2000000004000000' + '150000013e0000c0' + '060000000000ff7f' + '0600000000000000',
  )
})

test('each jump takes the way that its test says', () => {
  const ways = (instruction: Program[number]): Program => [load(0), instruction, 'no', ret(0), 'yes', ret(1)]
  const outcome = (instruction: Program[number]) => [4, 5, 6].map(input => run(ways(instruction), input))
  expect(outcome(ifEqual(5, 'yes'))).toEqual([0, 1, 0])
  expect(outcome(ifGreater(5, 'yes'))).toEqual([0, 0, 1])
  expect(outcome(ifAtLeast(5, 'yes', 'no'))).toEqual([0, 1, 1])
  expect(outcome(jump('yes'))).toEqual([1, 1, 1])
  expect(run([load(0), and(0xf0f0f0f0), ifEqual(0xf0000010, 'yes'), ret(0), 'yes', ret(1)], 0xff0f0f1f)).toBe(
    1,
  )
})

test.each([0, 1, 253, 254, 255, 256, 257, 600])('a conditional jump reaches over %i instructions', length => {
  const padding = (value: number) => Array.from({ length }, () => ret(value))
  const over: Program = [
    load(0),
    ifEqual(7, 'yes', 'no'),
    ...padding(2),
    'no',
    ret(0),
    ...padding(3),
    'yes',
    ret(1),
  ]
  expect([run(over, 7), run(over, 8)]).toEqual([1, 0])
  const fall: Program = [load(0), ifEqual(7, 'yes'), ret(0), ...padding(3), 'yes', ret(1)]
  expect([run(fall, 7), run(fall, 8)]).toEqual([1, 0])
})

test('jumps that become too long because others were widened are widened too', () => {
  // the n-th jump is just in reach until those between it and the label have grown
  const jumps = Array.from({ length: 300 }, (_, n) => ifEqual(n, 'end'))
  const program = [load(0), ...jumps, ret(0), ...Array.from({ length: 200 }, () => ret(2)), 'end', ret(1)]
  for (const n of [0, 99, 100, 200, 244, 245, 246, 299]) expect(run(program, n)).toBe(1)
  expect(run(program, 300)).toBe(0)
})

test('a program that the kernel would not take is refused in words', () => {
  const program = Array.from({ length: 4097 }, () => ret(0))
  expect(() => assemble(program)).toThrow('the BPF program has 4097 instructions; the kernel takes 4096')
  expect(assemble(program.slice(1))).toHaveLength(4096 * 8)
})

test('a jump backwards, to nowhere, or to two places is an error', () => {
  expect(() => assemble(['top', load(0), jump('top')])).toThrow('not found further on: top')
  expect(() => assemble([ifEqual(1, 'nowhere'), ret(0)])).toThrow('not found further on: nowhere')
  expect(() => assemble(['here', ret(0), 'here', ret(1)])).toThrow('label twice: here')
})
