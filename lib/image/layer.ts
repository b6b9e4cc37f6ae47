// A layer, from a tree to a tar and back.
export { packLayer } from './pack.ts'
export { unpackLayer } from './unpack.ts'
