/** Numbers that look random and are the same for the same seed: mulberry32. MINILAB_SEED replaces the fixed one. */
export class Seeded {
  readonly seed: number
  #state: number

  constructor(seed: number) {
    this.seed = Number(process.env.MINILAB_SEED ?? seed)
    this.#state = this.seed
  }

  /** from 0 up to, and without, `end` */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end
  }

  /** from 0 up to, and without, 1 */
  fraction(): number {
    return this.below(2 ** 31) / 2 ** 31
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }
}

/** Words that nobody means, and somebody types, pastes or generates. */
export const JUNK = [
  ...[
    '',
    ' ',
    '\t',
    '0',
    '-1',
    '-0',
    '00',
    '1',
    '1.5',
    '.5',
    '5.',
    '1e9',
    '0x10',
    'NaN',
    'Infinity',
    '1,5',
    '٣',
  ],
  ...[
    '2147483648',
    '4194305',
    '4294967295',
    '4294967296',
    '9007199254740993',
    '9'.repeat(30),
    '1'.repeat(400),
  ],
  ...[
    '../../canary',
    '../canary',
    '/../canary',
    '/..',
    '/etc/passwd',
    '/proc/self/fd/3',
    './x',
    '~',
    'a//b',
    '*',
    '?',
  ],
  ...[
    'a\nb',
    'a\r\nb',
    'a\0b',
    '\x1b[31mred',
    '\x9b31m',
    '\x07',
    '\u202eleft',
    'a\u2028b',
    '\ufeff',
    '\ud800',
    '💥',
  ],
  ...[
    'ünïcödé',
    'ﬁ',
    '-',
    '--',
    '-x',
    '--rm=1',
    '=',
    'a=b',
    ':',
    ':::',
    'a:b',
    ',',
    '{',
    '[]',
    'null',
    '"',
    "'",
    '\\',
  ],
  ...[
    '$(touch canary)',
    '`id`',
    ';id',
    '|',
    '&',
    '%s%n%x',
    '${HOME}',
    '__proto__',
    'constructor',
    'toString',
  ],
  ...[
    'a'.repeat(65),
    'a'.repeat(256),
    'a'.repeat(5000),
    'a'.repeat(100_000),
    'a/'.repeat(3000),
    'é'.repeat(100),
  ],
]
