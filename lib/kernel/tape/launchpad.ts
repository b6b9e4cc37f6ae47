import { arch } from '../syscalls/syscall-numbers.ts'

/**
 * The bytes of launchpad.x64.S and launchpad.arm64.S in this directory; a test assembles those and compares.
 * `ENTRY` has the offsets of the entry points, and of the one word of data after them: the descriptor that `heard` writes to.
 */
export const launchpads = {
  x64:
    '0f3148c1e2204809d0c3cccccccccccc4989d04989c90f3148c1e2204809d049894150b8b30100000f054885c0744b49' +
    '89c20f3148c1e2204809d0498941584d85d27832418b790885ff742ab8030000000f05418b7910be02000000b8490000' +
    '000f054883f8fc74ea0f3148c1e2204809d0498941604c89d0c34c89c34c89cd4839eb0f83830000000f3148c1e22048' +
    '09d048894358488b03488b7b08488b7310488b53184c8b53204c8b43284c8b4b300f0548894338483b4360742c483b43' +
    '687426483b43407c26483b43507f30488b4b484885c97411488b114885d274094889024883c108ebef4883eb80eb9148' +
    '8b5b704885db7588bf7f000000eb0f488b5b784885db0f8574ffffff31ffb8e70000000f050f0bcccccccccccccccccc' +
    'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc57b8010000008b3d240000004889e6ba' +
    '040000000f055fc3ccccccccccccccccb80f0000000f05cccccccccccccccccc00000000cccccccccccccccccccccccc' +
    'bf00000010be00000001ba0300000041ba1100000041b8090000004531c9b8090000000f054839f80f854affffff488b' +
    '1f488b6f08e9c6feffff',
  arm64:
    'df3f03d540e03bd5c0035fd600000000e90302aaea0303aadf3f03d54be03bd54b2900f9683680d2010000d4a00200b4' +
    'df3f03d54be03bd54b2d00f9ec0300aacc01f8b7400940b980010034280780d2010000d4401140b9410080d2080480d2' +
    '010000d41f1000b160ffff54df3f03d54be03bd54b3100f9e0030caac0035fd6f30309aaf4030aaa7f0214eb62040054' +
    'df3f03d549e03bd5692e00f9680240a9610a41a9631242a9651a40f9010000d4601e00f9692a46a91f0009ebe0010054' +
    '1f000aeba0010054692240f91f0009eb8b010054692a40f91f0009ebac010054692640f9a90000b42a8540f86a0000b4' +
    '400100f9fdffff1773020291e3ffff17733a40f933fcffb5e00f80d204000014733e40f9b3fbffb5000080d2c80b80d2' +
    '010000d4000020d4000000000000000000000000000000000000000000000000e00f1ff860010018e1030091820080d2' +
    '080880d2010000d4e00741f8c0035fd6681180d2010000d4000000000000000000000000000000000000000000000000' +
    '0000a2d20120a0d2620080d2230280d2240180d2050080d2c81b80d2010000d40900a2d21f0009eb01fbff54135040a9' +
    'b6ffff17',
}

export const launchpad = Buffer.from(launchpads[arch], 'hex')
export const ENTRY = { ticks: 0, launch: 16, heard: 320, restorer: 352, pipe: 368, standalone: 384 }

/** The fields of the empty op after the last one, for the launch as a whole: launchpad.x64.S. */
export const END = { theirs: 8, ours: 16, began: 80, left: 88, over: 96 }

/** An op that it replays: its size, and the offset of each of its words. */
export const OP = {
  size: 128,
  nr: 0,
  args: 8,
  result: 56,
  min: 64,
  save: 72,
  max: 80,
  tsc: 88,
  allowed: 96,
  under: 112,
  over: 120,
}
