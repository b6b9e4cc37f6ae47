// Packs a tree as a layer, and unpacks a layer as a tree
export { packLayer } from './pack.ts'
export { unpackLayer } from './unpack.ts'
