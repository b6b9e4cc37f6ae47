// Whether a document that was read from a file, and may be damaged, is what it should be.

/** Whether a value is of a kind. */
export type Shape = (value: unknown) => boolean

export const text: Shape = value => typeof value === 'string'
export const count: Shape = value => Number.isSafeInteger(value) && Number(value) >= 0
export const flag: Shape = value => typeof value === 'boolean'
export const listOf =
  (shape: Shape): Shape =>
  value =>
    Array.isArray(value) && value.every(shape)
export const optional =
  (shape: Shape): Shape =>
  value =>
    value === undefined || shape(value)
export const nullable =
  (shape: Shape): Shape =>
  value =>
    value === null || shape(value)
/** An object that has at least these members. */
export const object =
  (members: Record<string, Shape>): Shape =>
  value =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(members).every(([name, shape]) => shape((value as Record<string, unknown>)[name]))

export const texts = listOf(text)
