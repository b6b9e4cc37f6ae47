import { diagnose } from '../../guide/doctor/diagnose.ts'
import { page } from '../../guide/doctor/page.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { EXIT } from '../exit.ts'
import { isRootless } from '../rootless.ts'

/** Says what this machine can show; resolves to the exit status, which tells whether any step is blocked. */
export async function printDiagnosis({
  json,
  plain = false,
}: {
  json?: boolean
  plain?: boolean
}): Promise<number> {
  const diagnosis = await diagnose(isRootless(), dataFolder())
  console.log(json ? JSON.stringify(diagnosis) : page(diagnosis, plain))
  return diagnosis.chapters.some(({ verdict }) => verdict === 'blocked') ? EXIT.machine : EXIT.ok
}
