/** What cannot be missing as our code is written, and TypeScript cannot see that. Where it is missing, the defect shows here. */
export function certain<T>(value: T): NonNullable<T> {
  if (value === undefined || value === null) throw new Error('a value is missing that cannot be missing')
  return value
}
