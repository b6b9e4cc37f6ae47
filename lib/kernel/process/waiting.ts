/**
 * How many calls wait on libuv's workers for something that may never come, such as a read(2) of a pipe that another process has
 * emptied first. Node would wait for them at its end. Counted for the process, as the workers are the process's.
 */
export const waiting = { calls: 0 }
