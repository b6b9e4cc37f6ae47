import { arch } from '../syscalls/syscall-numbers.ts'

/**
 * The bytes of launchpad.x64.S and launchpad.arm64.S, beside which this file lies; a test assembles those and compares.
 * `ENTRY` has the offsets of what is entered, and of the one word of data behind it: where `heard` writes to.
 */
export const launchpads = {
  x64:
    '0f3148c1e2204809d0c3cccccccccccc4989d04989c90f3148c1e2204809d049894150b8b30100000f054885c0741449' +
    '89c20f3148c1e2204809d0498941584c89d0c34c89c34c89cd4839eb736d0f3148c1e2204809d048894358488b03488b' +
    '7b08488b7310488b53184c8b53204c8b43284c8b4b300f0548894338483b4360742c483b43687426483b43407c26483b' +
    '43507f27488b4b484885c97411488b114885d274094889024883c108ebef4883c370eb95bf7f000000eb0231ffb8e700' +
    '00000f050f0bcccccccccccccccccccccccccccccccccccccccccccccccccccc57b8010000008b3d240000004889e6ba' +
    '040000000f055fc3ccccccccccccccccb80f0000000f05cccccccccccccccccc00000000',
  arm64:
    'df3f03d540e03bd5c0035fd600000000e90302aaea0303aadf3f03d54be03bd54b2900f9683680d2010000d4a00000b4' +
    'df3f03d54be03bd54b2d00f9c0035fd6f30309aaf4030aaa7f0214ebe2030054df3f03d549e03bd5692e00f9680240a9' +
    '610a41a9631242a9651a40f9010000d4601e00f9692a46a91f0009ebe00100541f000aeba0010054692240f91f0009eb' +
    '8b010054692a40f91f0009eb6c010054692640f9a90000b42a8540f86a0000b4400100f9fdffff1773c20191e3ffff17' +
    'e00f80d202000014000080d2c80b80d2010000d4000020d40000000000000000e00f1ff860010018e1030091820080d2' +
    '080880d2010000d4e00741f8c0035fd6681180d2010000d4000000000000000000000000',
}

export const launchpad = Buffer.from(launchpads[arch], 'hex')
export const ENTRY = { ticks: 0, launch: 16, heard: 224, restorer: 256, pipe: 272 }

/** An op that it replays: its size, and where in it each of its words is. */
export const OP = { size: 112, nr: 0, args: 8, result: 56, min: 64, save: 72, max: 80, tsc: 88, allowed: 96 }
