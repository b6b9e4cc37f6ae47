import { MinilabError } from '../../common/errors.ts'
import { anyOf, listOf, object, type Of, oneOf, text, where } from '../../common/shape.ts'
import { findProgram, runRuleTool } from './rule-tool.ts'

const IP = String.raw`\d+\.\d+\.\d+\.\d+`
const LINK = String.raw`\w[\w.@-]{0,14}`
const RULE = new RegExp(
  `^(FORWARD -[io] ${LINK} -[sd] ${IP} -j ACCEPT` +
    String.raw`|PREROUTING -d ${IP} -p tcp --dport \d+ -j DNAT --to-destination ${IP}:\d+` +
    String.raw`|POSTROUTING -s ${IP}/\d+ -o ${LINK} -j MASQUERADE)$`,
)

const word = where(text, word => !word.includes(' '))

/** Whether rules have a shape that we make: the content of a damaged file would go to a program that runs with all rights. */
export const isPacketRules = anyOf(
  object({ tool: oneOf('nft'), table: where(text, name => /^(mlb-|minilab)[\w-]*$/.test(name)) }),
  object({
    tool: oneOf('iptables'),
    table: oneOf('nat', 'filter'),
    rule: where(listOf(word), words => RULE.test(words.join(' '))),
  }),
)

/**
 * Rules of the packet filter, as the undo log stores them: as data, never as a program to run. An nft table is removed as
 * a whole; an iptables rule is removed by itself, and stored as the words that follow the action on the command line.
 */
export type PacketRules = Of<typeof isPacketRules>

/** The rules as text: `table ip minilab-x`. */
export const nameOf = (rules: PacketRules): string =>
  rules.tool === 'nft' ? `table ip ${rules.table}` : `-t ${rules.table} ${rules.rule.join(' ')}`

/** The command with which a tool lists rules, or removes them. */
export function ruleCommand(rules: PacketRules, action: 'find' | 'remove' | 'add', path: string): string[] {
  if (rules.tool === 'nft') return [path, action === 'find' ? 'list' : 'delete', 'table', 'ip', rules.table]
  const letter = { find: '-C', remove: '-D', add: '-I' }[action]
  return [path, '-w', '-t', rules.table, letter, ...rules.rule]
}

/** Removes rules; false if they do not exist. Throws a MinilabError (limited) if they cannot be removed. */
export function removeRules(rules: PacketRules): boolean {
  const path = findProgram(rules.tool)
  if (!path)
    throw new MinilabError(
      'limited',
      `some of our firewall rules may be left, and ${rules.tool} is not installed to remove them: ${nameOf(rules)}`,
      `install ${rules.tool} again, then: minilab clean`,
    )
  const remove = ruleCommand(rules, 'remove', path)
  const { ok, said } = runRuleTool(remove)
  if (ok) return true
  if (!runRuleTool(ruleCommand(rules, 'find', path)).ok) return false
  throw new MinilabError(
    'limited',
    `some of our firewall rules are left: ${said}`,
    `remove them: ${remove.join(' ')}`,
  )
}
