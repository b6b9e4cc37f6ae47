/** What the tour says about a step. */
export interface Stop {
  /** minutes to read what the step prints, without its system calls, at 200 words a minute, and to predict */
  minutes: number
  /** what the step shows, in one line of at most 74 columns, without giving a prediction away */
  see: string
  /** why to write its lab on a first pass, or later; one line of at most 57 columns */
  why: string
}

/** The steps, in order. */
export const stops: readonly Stop[] = [
  {
    minutes: 3,
    see: 'What a process gets: arguments, environment, signals. And how it ends.',
    why: 'You get used to the tape. No later lab needs it.',
  },
  {
    minutes: 4,
    see: 'The same process in eight namespaces: who it is inside, and outside.',
    why: 'Without namespaces there is no container.',
  },
  {
    minutes: 4,
    see: 'How to escape from `chroot`. Then `pivot_root`, and a second attempt.',
    why: 'You write the escape, and then you prevent it.',
  },
  {
    minutes: 4,
    see: 'Limits for memory, CPU and processes, and what happens at each limit.',
    why: 'The step shows most of it: one directory, a few files.',
  },
  {
    minutes: 5,
    see: 'What a write and a deletion leave on disk. Then a layer as a tar file.',
    why: 'Write it when you want to know what is in an image.',
  },
  {
    minutes: 7,
    see: 'A veth pair, a bridge, routing, a published port. It counts the packets.',
    why: 'Write it to learn where packets can get lost.',
  },
  {
    minutes: 4,
    see: 'All seven parts at once. Then root inside tries four attacks on the host.',
    why: 'You put the parts in order, and take rights from root.',
  },
]
