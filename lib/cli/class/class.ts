import type { MinilabCommand } from '../program.ts'

/** `minilab class`: for teachers. Their guide is book/teachers.md. */
export function classCommand(program: MinilabCommand): void {
  const group = program
    .command('class')
    .description('for teachers: the reports of a class, and a pack for it')
  group
    .command('report')
    .description('summarize the reports of a class: who is stuck on what')
    .argument('<file...>', 'what learners handed in: minilab report --json > ada.json')
    .option('--html <file>', 'also write it as a page, with all diagnoses')
    .option('--plain', 'no colour; the same width in every window')
    .action(async (files: string[], flags: { html?: string; plain?: boolean }) =>
      (await import('./print-class-report.ts')).printClassReport(files, flags),
    )
  group
    .command('pack')
    .description(
      'make one archive that installs on a machine without network: sources, packages, Node, image',
    )
    .argument('[file]', 'by default minilab-VERSION-ARCH.tar.gz')
    .action(async (file: string | undefined) => {
      const { writeClassPack } = await import('./write-class-pack.ts')
      await writeClassPack(file, program.version() ?? '')
    })
}
