/**
 * What pure code says of many cases, a line for each, so that a page of them can be kept and read: one that reads otherwise is a change
 * that somebody notices. Cases lie at the edges of what they are about, one beside the other.
 */

/** Every combination of one value of each name, the last name going round first. */
export function combinations<Of extends Record<string, readonly unknown[]>>(
  of: Of,
): { [Name in keyof Of]: Of[Name][number] }[] {
  return Object.entries(of).reduce<Record<string, unknown>[]>(
    (some, [name, values]) => some.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  ) as { [Name in keyof Of]: Of[Name][number] }[];
}

const written = (value: unknown): string =>
  JSON.stringify(value, (_, one) =>
    typeof one === 'number' && !Number.isInteger(one)
      ? Number.isFinite(one)
        ? Number(one.toPrecision(12))
        : String(one)
      : one === undefined
        ? 'undefined'
        : one instanceof Map || one instanceof Set
          ? [...one]
          : typeof one === 'bigint'
            ? `${one}n`
            : one,
  );

/** A heading, and `case → what is said of it` for each case. An error is said with its text. */
export function said<Case>(about: string, cases: readonly Case[], say: (one: Case) => unknown): string {
  const lines = cases.map((one) => {
    let answer: string;
    try {
      answer = written(say(one));
    } catch (error) {
      answer = `throws ${(error as Error).message}`;
    }
    return `${written(one)} → ${answer}`;
  });
  return `## ${about}\n\n${lines.join('\n')}\n`;
}
