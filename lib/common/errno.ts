import { constants } from 'node:os'
import { getSystemErrorMessage } from './util.ts'

// errno(3): two numbers each have a second name, which the kernel does not use
const SECOND_NAMES = ['EWOULDBLOCK', 'ENOTSUP']
const names = new Map(
  Object.entries(constants.errno)
    .filter(([name]) => !SECOND_NAMES.includes(name))
    .map(([name, number]) => [number, name]),
)

/** `EPERM` for 1: the name of an error number, from errno(3). */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `E${errno}`
}

/** 1 for `EPERM`. */
export function errnoNumber(name: string): number {
  return constants.errno[name as keyof typeof constants.errno] ?? 0
}

/** What an error number means, in the words of strerror(3): `operation not permitted`. */
export function errnoMeaning(errno: number): string {
  return getSystemErrorMessage(-errno) ?? 'unknown error'
}
