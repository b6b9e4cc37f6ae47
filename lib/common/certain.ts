/** Asserts a value that our code guarantees but TypeScript cannot prove. If it is missing, the error appears here and not later. */
export function certain<T>(value: T): NonNullable<T> {
  if (value === undefined || value === null) throw new Error('a value is missing that cannot be missing')
  return value
}
