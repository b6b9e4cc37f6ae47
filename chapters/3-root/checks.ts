import { contentChecks } from './content-checks.ts'
import { rootChecks } from './root-checks.ts'

export const checks = { ...rootChecks, ...contentChecks }
