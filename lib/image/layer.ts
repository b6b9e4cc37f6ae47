// The way of a layer from a tree to a tar, and back
export { packLayer } from './pack.ts'
export { unpackLayer } from './unpack.ts'
