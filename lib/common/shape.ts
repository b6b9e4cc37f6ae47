// Validates documents that come from a file or another process and may be damaged. A shape also gives the document's type

/** Whether a value has a type. `members` and `each` are the shapes that it consists of: see fieldsOf(). */
export type Shape<T> = ((value: unknown) => value is T) & Parts
interface Parts {
  members?: Record<string, Shape<unknown>>
  each?: Shape<unknown>
}
/** The type that a shape checks for: `type Image = Of<typeof isImage>`. */
export type Of<S> = S extends Shape<infer T> ? T : never

export const text: Shape<string> = value => typeof value === 'string'
export const flag: Shape<boolean> = value => typeof value === 'boolean'
export const number = (value: unknown): value is number => Number.isFinite(value)
export const integer = (value: unknown): value is number => Number.isSafeInteger(value)
export const count = where(integer, value => value >= 0)
export const positive = where(integer, value => value > 0)

/** One of these values. */
export const oneOf =
  <const T>(...values: readonly T[]): Shape<T> =>
  (value): value is T =>
    values.includes(value as T)

/** A shape with a further condition. */
export function where<T>(shape: Shape<T>, holds: (value: T) => boolean): Shape<T> {
  return like(shape, (value): value is T => shape(value) && holds(value))
}

/** A shape with the parts of another. */
function like<T>({ members, each }: Parts, shape: (value: unknown) => value is T): Shape<T> {
  return Object.assign(shape, members && { members }, each && { each })
}

export const optional = <T>(shape: Shape<T>): Shape<T | undefined> =>
  like(shape, (value): value is T | undefined => value === undefined || shape(value))

export const nullable =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value): value is T | null =>
    value === null || shape(value)

/** One of these shapes. */
export const anyOf =
  <S extends Shape<unknown>[]>(...shapes: S): Shape<Of<S[number]>> =>
  (value): value is Of<S[number]> =>
    shapes.some(shape => shape(value))

/** Both shapes. */
export const both =
  <A, B>(one: Shape<A>, other: Shape<B>): Shape<A & B> =>
  (value): value is A & B =>
    one(value) && other(value)

export const listOf = <T>(shape: Shape<T>): Shape<T[]> =>
  like({ each: shape }, (value): value is T[] => Array.isArray(value) && value.every(shape))

export const texts = listOf(text)

/** An object with at least these members; a member whose shape is `optional` may be missing. */
export const object = <M extends Record<string, Shape<unknown>>>(members: M): Shape<ObjectOf<M>> =>
  like(
    { members },
    (value): value is ObjectOf<M> =>
      typeof value === 'object' &&
      value !== null &&
      Object.entries(members).every(([name, shape]) => shape((value as Record<string, unknown>)[name])),
  )

/** The members of a shape by their paths, those of lists as `mounts[].type`. */
export function fieldsOf({ members, each }: Parts, path = ''): string[] {
  if (each) return fieldsOf(each, `${path}[]`)
  if (!members) return []
  return Object.entries(members).flatMap(([name, shape]) => {
    const at = path ? `${path}.${name}` : name
    return [at, ...fieldsOf(shape, at)]
  })
}

type ObjectOf<M> = Flat<
  { [K in keyof M as undefined extends Of<M[K]> ? never : K]: Of<M[K]> } & {
    [K in keyof M as undefined extends Of<M[K]> ? K : never]?: Of<M[K]>
  }
>
type Flat<T> = { [K in keyof T]: T[K] }

/** An object with any member names, whose values all have one shape. */
export const mapOf =
  <T>(shape: Shape<T>): Shape<Record<string, T>> =>
  (value): value is Record<string, T> =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(shape)
