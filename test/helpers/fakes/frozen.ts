/** For fakes that hand out what they keep: a caller that changed it would change what others read, and fails instead. */

/** The same value, made unchangeable with everything in it. */
export function frozen<Value>(value: Value): Value {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}
