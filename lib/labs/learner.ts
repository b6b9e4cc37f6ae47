import { spawnSync } from 'node:child_process'
import type { LabReport } from './report-shape.ts'
import { sudoUser } from './file-owner.ts'

/** The learner who hands in this workspace's report: as given, else git's user.name there, else the account's name. */
export function learner(folder: string, given?: string): LabReport['learner'] {
  if (given) return { name: given, from: 'given with --name' }
  const { name, home } = account()
  const ids = sudoUser()
  // not as root: git must use the settings of the repository and the user
  const git = spawnSync('git', ['-C', folder, 'config', 'user.name'], {
    encoding: 'utf8',
    env: { ...process.env, ...(ids && { HOME: home }) },
    ...ids,
  })
  const signed = git.status === 0 ? git.stdout.trim() : ''
  return signed ? { name: signed, from: 'git config user.name' } : { name, from: "the account's name" }
}

/** passwd(5): name:password:UID:GID:GECOS:directory:shell; the first part of GECOS is the full name. */
function account(): { name: string; home: string } {
  const uid = sudoUser()?.uid ?? process.getuid?.()
  const { status, stdout } = spawnSync('getent', ['passwd', String(uid)], { encoding: 'utf8' })
  if (status !== 0) return { name: `uid ${uid}`, home: '/' } // this user has no entry, as in some containers
  const [user = '', , , , gecos = '', home = '/'] = stdout.trimEnd().split(':')
  return { name: gecos.split(',')[0] || user, home }
}
