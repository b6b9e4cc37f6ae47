import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoNumber } from '../../lib/common/errno.ts'
import { BookError } from './problem.ts'
import { definition } from './symbols.ts'

const OUR_PATH = /^(?:\.\/)?((?:chapters|lib|labs|test|book|\.ci)\/[^\s#:]*)(?:#([\w$#.]+)|:\d+)?$/
/** A file at the top; others' are called config.json or the like. */
const TOP = /^([\w-]+\.(?:md|mjs|yaml))$/
/** All that looks like an errno: two capitals or more after an E. */
const ERRNO = /(?<![\w$@./-])E[A-Z]{2,}\d*(?![\w])/g
/** … and is none. */
const NO_ERRNO = ['EDITOR', 'EFI', 'EGID', 'ELF', 'EOF', 'EPOLLHUP', 'EPOLLIN', 'EPYC', 'ERRORS', 'EUID']
/** Sections 1 and 8 are of programs, which may not be installed. */
const MAN_PAGE = /(?<![\w.-])([a-z][\w.-]*)\(([2-57])\)/g
const MANUAL = '/usr/share/man'

/** Throws a BookError where inline code is a path of this repository, maybe with a symbol, that does not exist. */
export function checkPath(project: string, text: string): void {
  const [, path, symbol] = OUR_PATH.exec(text) ?? TOP.exec(text) ?? []
  if (!path) return
  if (/:\d+$/.test(text))
    throw new BookError(`${text} names a line, which will move`, 'name the symbol: file.ts#name')
  // N in a path stands for the number of any chapter: labs/N/start.ts
  const pattern = path.replace(/(?<=^(?:chapters|labs)\/)N[^/]*/, '*').replace(/\/$/, '')
  const exists = pattern.includes('*')
    ? globSync(pattern, { cwd: project }).length > 0
    : existsSync(join(project, pattern))
  if (!exists)
    throw new BookError(`there is no ${path} in this repository`, 'name it from the top of the repository')
  if (symbol) definition(path, readFileSync(join(project, path), 'utf8'), symbol)
}

/** Throws a BookError where a text has an errno that Linux does not. */
export function checkErrnos(text: string): void {
  for (const [name] of text.matchAll(ERRNO))
    if (errnoNumber(name) === 0 && !NO_ERRNO.includes(name))
      throw new BookError(
        `there is no errno ${name}`,
        'errno(3) has them; what is none goes into test/book/names.ts',
      )
}

/**
 * Throws a BookError where a text refers to a manual page of the kernel or the C library that does not exist. Looked up in the
 * manual of this machine; where there is none (packages manpages and manpages-dev), nothing can be said.
 */
export function checkManPages(text: string): void {
  if (!existsSync(`${MANUAL}/man2/clone.2.gz`)) return
  for (const [page, name = '', section = ''] of text.matchAll(MAN_PAGE))
    if (!existsSync(`${MANUAL}/man${section}/${name}.${section}.gz`))
      throw new BookError(`the manual has no page ${page}`, `man -k ${name} may find it`)
}
