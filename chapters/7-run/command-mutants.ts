import { changeAct, type Mutant } from '../../lib/guide/mutant.ts'
import { byCommandLine, COMMANDS, commands, type Ran, WHERE } from './commands.ts'

/** Wrong ways to make the commands. Each types something that acts as the wrong command would. */

const typed = (
  name: string,
  misconception: string,
  breaks: Record<string, string>,
  other: Partial<typeof commands>,
): Mutant<Ran> => ({
  name,
  misconception,
  breaks,
  change: step =>
    changeAct(step, COMMANDS, experiment => byCommandLine(experiment, { ...commands, ...other })),
})

const GONE = 'it ended with the command that had started it'

export const commandMutants = [
  typed(
    'status-of-a-helper',
    'run waited for a helper in between, and passed on the exit status of the helper',
    { 'run-status': 'the exit status of a helper in between was passed on' },
    { run: () => ['run', '--rm', 'default', 'sh', '-c', 'echo I am process $$; (exit 7); exit 0'] },
  ),
  typed(
    'shell-in-between',
    'run started a shell, and the shell started the program',
    { 'run-status': 'a shell in between is' },
    { run: () => ['run', '--rm', 'default', 'sh', '-c', "sh -c 'echo I am process $$; exit 7'; exit $?"] },
  ),
  typed(
    'ends-with-its-command',
    'the container in the background was set to die with its parent, which was the command',
    { 'run-detached': GONE, 'exec-joins': GONE, 'kill-rm': GONE },
    { start: name => ['run', '--name', name, 'default', 'true'] },
  ),
  typed(
    'exec-in-a-copy',
    'exec started another container from the same image, and joined none',
    { 'exec-joins': 'It shares none of them' },
    { exec: () => ['run', '--rm', 'default', 'sh', '-c', WHERE] },
  ),
  typed(
    'exec-without-uts',
    'exec gave setns the flags of some namespaces, but forgot CLONE_NEWUTS',
    { 'exec-joins': "It is not in the container's: uts" },
    {
      // in its own uts namespace, for which unshare needs a capability
      start: name => ['run', '-d', '--name', name, '--cap-add', 'SYS_ADMIN', 'default', 'sleep', '1000'],
      exec: name => ['exec', name, 'unshare', '-u', 'sh', '-c', WHERE],
    },
  ),
  typed(
    'kill-sends-sigterm',
    'kill sent SIGTERM, which ends any process that does not handle it',
    { 'kill-rm': 'process 1 of a pid namespace ignores' },
    { kill: name => ['kill', '--signal', 'SIGTERM', name] },
  ),
  typed(
    'state-not-removed',
    'rm ended the container, but did not remove its state',
    { 'kill-rm': 'ps -a still lists it' },
    { remove: () => ['ps', '-a'] },
  ),
]
