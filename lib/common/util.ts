/**
 * What all commands need of node:util. An import of that module reads all its properties, and some of them load other modules, such as
 * streams: 15 ms of each command (Node 24).
 */
export const { getSystemErrorMessage, promisify } = process.getBuiltinModule('util')
