/** One text for equal values, whatever the order of their keys. */

/** JSON with sorted keys: equal values give equal text. For comparing flags and hashing audit entries. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const fields: string[] = [];
    for (const name of Object.keys(value).sort()) {
      const field = (value as Readonly<Record<string, unknown>>)[name];
      if (field !== undefined) fields.push(`${JSON.stringify(name)}:${canonicalJson(field)}`);
    }
    return `{${fields.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
