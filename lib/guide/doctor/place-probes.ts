import { statfsSync } from 'node:fs'
import { join } from 'node:path'
import { makeDir } from '../../image/data-folder.ts'
import { fileError } from '../../image/error.ts'
import { packedImage } from '../../image/packed.ts'
import { BUSYBOX } from '../../image/default-recipe.ts'
import { planBusybox, planHostPrograms } from '../../image/programs.ts'
import { mountOf } from '../../kernel/mount/mountinfo.ts'
import { ok, OWN_MACHINE, type Probe, withOtherFolder } from './probe.ts'
import { withheld } from './surroundings.ts'
import { isRefusal } from './trial.ts'

/** In MiB. With less than `least` nothing can be written; `enough` has room for an image of the host's own programs. */
const ROOM = { least: 4, enough: 64 }

/** Where images and containers are stored, and what the images are made from. */
export const placeProbes: Probe[] = [
  {
    id: 'disk',
    title: 'disk',
    look({ dataFolder, folder, ledger }) {
      try {
        makeDir(join(dataFolder, 'containers'))
        ledger.add({ kind: 'folder', path: folder })
        for (const name of ['rootfs', 'lower', 'own']) makeDir(join(folder, name))
      } catch (error) {
        const refusal = fileError(`write to ${dataFolder}`, error)
        if (!isRefusal(refusal)) throw error
        return { ok: 'blocked', found: refusal.message, fix: withOtherFolder() }
      }
      const mount = mountOf(folder)
      const { bavail, bsize } = statfsSync(folder)
      const free = (bavail * bsize) / 2 ** 20
      const amount = free < 1024 ? `${Math.floor(free)} MB` : `${(free / 1024).toFixed(1)} GB`
      const found = `${dataFolder} on ${mount?.type}, ${amount} free`
      if (free >= ROOM.enough) return ok(found)
      return { ok: free < ROOM.least ? 'blocked' : 'limited', found, fix: withOtherFolder() }
    },
  },

  {
    id: 'hidepid',
    title: 'hidden processes',
    look({ rootless }) {
      // proc(5): with hidepid, a process that changes its user belongs to root in /proc until it executes a program
      const [, mode = 'off'] = /\bhidepid=(\w+)/.exec(mountOf('/proc')?.superOptions.join(',') ?? '') ?? []
      if (!rootless || ['0', 'off'].includes(mode)) return ok('none')
      const found = `/proc hides a container's first process from an ordinary user who starts it (hidepid=${mode})`
      return { ok: 'blocked', found, fix: 'sudo mount -o remount,hidepid=off /proc', sudo: true }
    },
  },

  {
    id: 'programs',
    title: 'programs',
    look() {
      if (packedImage()) return ok('those of the class pack, for the images')
      const busybox = BUSYBOX.find(path => planBusybox(path))
      if (busybox) return ok(`a static busybox for the images: ${busybox}`)
      if (planHostPrograms(new Set())) return ok("the host's own for the images, with their libraries")
      const found = 'neither a static busybox nor sh, ls and cat to make an image from'
      return { ok: 'blocked', found, fix: 'sudo apt-get install busybox-static' }
    },
  },

  {
    id: 'nested',
    title: 'inside a container',
    look({ around }) {
      const lack = withheld(around)
      const { mark } = around
      if (lack.length === 0)
        return ok(mark ? `bears the mark of one (${mark}), but nothing is withheld` : 'no')
      const found = `${mark ? `yes (${mark})` : 'not marked as one, but'}: ${lack.join(', ')}`
      return { ok: 'limited', found, fix: OWN_MACHINE }
    },
  },
]
