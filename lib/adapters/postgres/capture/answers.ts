/** Asks Postgres about many expressions with few questions. */

/** A ROW has at most 1,664 entries; one column may have an expression that is written and another that is compared. */
export const ASKED_TOGETHER = 800;

export type Expression = { name: string; sql: string };

/** The expressions that have an answer, found by halving: of many hundred, few or none have one. */
export async function answers(
  expressions: readonly Expression[],
  ask: (sql: string) => Promise<string | null>,
): Promise<(Expression & { answer: string })[]> {
  const [first] = expressions;
  if (!first) return [];
  if (expressions.length <= ASKED_TOGETHER) {
    const answer = await ask(expressions.map(({ sql }) => sql).join(', '));
    if (answer === null) return [];
    if (expressions.length === 1) return [{ ...first, answer }];
  }
  const middle = Math.ceil(expressions.length / 2);
  const halves = [expressions.slice(0, middle), expressions.slice(middle)];
  return [...(await answers(halves[0]!, ask)), ...(await answers(halves[1]!, ask))];
}
