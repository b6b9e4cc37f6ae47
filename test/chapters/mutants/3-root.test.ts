import { mutantsOf } from './matrix.ts'

await mutantsOf(3)
