import type { Check, Scene } from '../../lib/guide/step.ts'

/** A step's check that says more when it fails: `why` is asked first, and if it returns undefined, the step's own words stay. */
export const explained = <S>(
  check: Check<S>,
  why: (scene: Scene & S) => string | undefined | Promise<string | undefined>,
): Check<S> => ({
  ...check,
  async look(scene) {
    const found = await check.look(scene)
    const diagnosis = found.ok === false ? ((await why(scene)) ?? found.diagnosis) : undefined
    return diagnosis === undefined ? found : { ...found, diagnosis }
  },
})
