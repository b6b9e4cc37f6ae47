import { parseSync, type Expression, type Statement } from 'oxc-parser'
import { hint } from '../../lib/common/suggest.ts'
import { BookError } from './problem.ts'
import { dedent } from './slices.ts'

/** A definition, with what is defined in it. Offsets are into the source. */
interface Definition {
  start: number
  end: number
  members(): Named[]
}

type Named = [name: string, definition: Definition]

/**
 * The lines of a definition in a TypeScript file, without the comment before it and without its indentation. `symbol` is the
 * name of a constant, function, class, interface or type at the top of the file; `A.b` a member of the object, class
 * or interface `A`. Throws a BookError where there is none.
 */
export function definition(file: string, source: string, symbol: string): string[] {
  const { program, errors } = parseSync(file, source)
  if (errors.length > 0)
    throw new BookError(`${file} is not TypeScript: ${errors[0]?.message}`, 'correct the file')
  let found: Definition = { start: 0, end: source.length, members: () => program.body.flatMap(ofStatement) }
  for (const [i, name] of symbol.split('.').entries()) {
    const members = found.members()
    const same = members.filter(([other]) => other === name).map(([, member]) => member)
    const names = members.map(([other]) => other)
    const whole = symbol.split('.').slice(0, i).join('.')
    if (same.length === 0)
      throw new BookError(
        `${file} defines no ${symbol}`,
        hint(name, names, `${whole || 'it'} has ${names.join(', ') || 'no members'}`),
      )
    // a function's overloads stand one after the other; so do a getter and its setter
    found = { ...same[0]!, end: same.at(-1)!.end }
  }
  return dedent(wholeLines(source, found))
}

function wholeLines(source: string, { start, end }: Definition): string[] {
  const from = source.lastIndexOf('\n', start - 1) + 1
  const to = source.indexOf('\n', end)
  return source.slice(from, to === -1 ? undefined : to).split('\n')
}

function ofStatement(statement: Statement): Named[] {
  const { start, end } = statement
  const node =
    statement.type === 'ExportNamedDeclaration' && statement.declaration ? statement.declaration : statement
  switch (node.type) {
    case 'VariableDeclaration':
      return node.declarations.flatMap(({ id, init }) =>
        id.type === 'Identifier' ? [[id.name, { start, end, members: () => ofValue(init) }] as Named] : [],
      )
    case 'FunctionDeclaration':
    case 'TSDeclareFunction':
    case 'TSTypeAliasDeclaration':
      return node.id ? [[node.id.name, { start, end, members: () => [] }]] : []
    case 'ClassDeclaration':
    case 'TSInterfaceDeclaration':
      return node.id ? [[node.id.name, { start, end, members: () => ofBody(node.body.body) }]] : []
    default:
      return []
  }
}

/** What an object literal has, also behind `as` and `satisfies`. */
function ofValue(value: Expression | null): Named[] {
  if (value?.type === 'TSAsExpression' || value?.type === 'TSSatisfiesExpression')
    return ofValue(value.expression)
  return value?.type === 'ObjectExpression' ? ofBody(value.properties) : []
}

/** A member of a class, an interface or an object, as far as we look at it. */
interface Member {
  type: string
  start: number
  end: number
  key?: { type: string; name?: unknown; value?: unknown }
  value?: unknown
}

function ofBody(members: readonly Member[]): Named[] {
  return members.flatMap(({ key, value, start, end, type }) => {
    const name = key?.name ?? key?.value
    if (typeof name !== 'string') return []
    const inside = () => (type === 'Property' ? ofValue(value as Expression) : [])
    return [[key?.type === 'PrivateIdentifier' ? `#${name}` : name, { start, end, members: inside }] as Named]
  })
}
