import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { parse } from '../../lib/book/pages.ts'
import { hint } from '../../lib/common/suggest.ts'
import { BookError } from './problem.ts'

/** Where links may lead outside: what is there stays there for years. No check fetches them. */
const HOSTS = [
  'bugs.openjdk.org',
  'crates.io',
  'cve.org',
  'datatracker.ietf.org',
  'developer.hashicorp.com',
  'docs.docker.com',
  'docs.kernel.org',
  'docs.podman.io',
  'git.kernel.org',
  'github.com',
  'kubernetes.io',
  'learn.microsoft.com',
  'lwn.net',
  'man7.org',
  'nodejs.org',
  'nvd.nist.gov',
  'opencontainers.org',
  'pubs.opengroup.org',
  'refspecs.linuxfoundation.org',
  'www.cve.org',
  'www.freedesktop.org',
  'www.rfc-editor.org',
  'www.tuhs.org',
  'www.usenix.org',
]

/** Throws a BookError where a link of the page `file` leads to nowhere. Nothing is fetched. */
export function checkLink(project: string, file: string, target: string): void {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return checkOutside(target)
  const [path = '', anchor] = target.split('#', 2).map(decodeURIComponent)
  const linked = path ? relative('.', join(dirname(file), path)) : file
  if (linked.startsWith('..') || !existsSync(join(project, linked)))
    throw new BookError(`the link to ${target} leads to nowhere`, `there is no ${linked}`)
  if (anchor === undefined) return
  if (!linked.endsWith('.md')) throw new BookError(`${linked} has no anchors`, 'only pages of Markdown have')
  const { headings } = parse(basename(linked, '.md'), readFileSync(join(project, linked), 'utf8'))
  const ids = headings.map(({ id }) => id)
  if (!ids.includes(anchor))
    throw new BookError(
      `${linked} has no heading for #${anchor}`,
      hint(anchor, ids, `it has ${ids.join(', ')}`),
    )
}

function checkOutside(target: string): void {
  if (!URL.canParse(target)) throw new BookError(`${target} is not an address`, 'correct the link')
  const { protocol, host } = new URL(target)
  if (protocol !== 'https:') throw new BookError(`the link to ${target} is not https`, 'use https')
  if (!HOSTS.includes(host))
    throw new BookError(
      `${host} is not among the hosts that the book links to`,
      'if it should be, add it to test/book/links.ts',
    )
}
