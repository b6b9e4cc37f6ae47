import { existsSync } from 'node:fs'
import { machine as hardware, release } from 'node:os'
import { type ChapterName, CHAPTERS } from '../chapters.ts'
import type { Probed } from './machine.ts'
import type { Verdict } from './probe.ts'

/** The document that `minilab doctor --json` prints. */
export interface Diagnosis {
  kernel: string
  arch: string
  mode: 'root' | 'rootless'
  probes: { id: string; title: string; ok: Verdict; found: string; fix: string | null }[]
  chapters: ChapterVerdict[]
}

/** How much of a step will work here: all, all but some stages (which say so), or nothing. */
export interface ChapterVerdict {
  step: number
  name: string
  verdict: Verdict
  reasons: string[]
  fix: string[]
}

interface Needs {
  /** without these the step does not work */
  needs: string[]
  /** without these some of its stages are limited */
  wants?: string[]
}

const PROCESS = ['architecture', 'proc', 'kernel']
const NAMESPACES = [...PROCESS, 'user-namespaces', 'namespaces']
const ROOT = [...NAMESPACES, 'disk', 'programs', 'root']

/** What each chapter needs, as ids of probes. */
const NEEDS: Record<ChapterName, Needs> = {
  cli: { needs: PROCESS },
  namespaces: { needs: [...NAMESPACES, 'hidepid'] },
  root: { needs: [...ROOT, 'hidepid', 'image-root'] },
  limits: { needs: [...ROOT, 'hidepid', 'image-root'], wants: ['cgroups'] },
  layers: { needs: ROOT, wants: ['overlay'] },
  network: { needs: [...ROOT, 'hidepid', 'image-root', 'links'], wants: ['nat', 'forwarding'] },
  run: { needs: [...ROOT, 'hidepid', 'overlay', 'links', 'hardening'], wants: ['cgroups'] },
}

/** Finds out what works on this machine, for root or (`rootless`) for our user. Removes everything that it makes. */
export async function diagnose(rootless: boolean, dataFolder: string): Promise<Diagnosis> {
  const probes = foundations()
  // all other probes need these: system calls by machine code, and /proc
  if (probes.every(({ ok }) => ok === 'ok'))
    probes.push(...(await (await import('./machine.ts')).lookAtMachine(rootless, dataFolder)))
  return {
    kernel: release(),
    arch: hardware(),
    mode: rootless ? 'rootless' : 'root',
    probes: probes.map(({ id, title, ok, found, fix }) => ({ id, title, ok, found, fix: fix ?? null })),
    chapters: judge(probes),
  }
}

function foundations(): Probed[] {
  const known = ['x64', 'arm64'].includes(process.arch)
  const mounted = existsSync('/proc/self/status')
  return [
    {
      id: 'architecture',
      title: 'architecture',
      ok: known ? 'ok' : 'blocked',
      found: hardware(),
      ...(!known && { fix: 'use a machine or VM with x86-64 or arm64' }),
    },
    {
      id: 'proc',
      title: '/proc',
      ok: mounted ? 'ok' : 'blocked',
      found: mounted ? 'mounted' : 'not mounted',
      ...(!mounted && { fix: 'sudo mount -t proc proc /proc' }),
    },
  ]
}

/** What the probes mean for each chapter. */
export function judge(probes: readonly Probed[]): ChapterVerdict[] {
  return CHAPTERS.map(({ number, name }) => {
    const { needs, wants = [] } = NEEDS[name]
    const bad = probes.filter(({ id, ok }) => ok !== 'ok' && [...needs, ...wants].includes(id))
    const blocked = bad.some(({ id, ok }) => ok === 'blocked' && needs.includes(id))
    const reasons = bad.filter(({ untried }) => !untried)
    const fixes = reasons.flatMap(({ fix, sudo }) => [
      ...(fix ? [fix.replace(/minilab step \d/, `minilab step ${number}`)] : []),
      ...(sudo ? [`sudo ./minilab step ${number}`] : []),
    ])
    return {
      step: number,
      name,
      verdict: blocked ? 'blocked' : bad.length ? 'limited' : 'ok',
      reasons: reasons.map(({ title, found }) => `${title}: ${found}`),
      fix: [...new Set(fixes)],
    }
  })
}
