/**
 * How many calls wait on libuv workers for something that may never come, such as a read(2) from a pipe that another process emptied
 * first. Node would wait for them when it exits. Counted per process, as the workers belong to the process.
 */
export const waiting = { calls: 0 }
