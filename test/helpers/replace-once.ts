/** Changes a text in one place. A place that is gone, or there twice, is an error: a planted fault must not rot unseen. */

/** What is put there: a text as it is, or made of what the groups of the pattern matched. */
export type Replacement = readonly [found: string | RegExp, put: string | ((...groups: string[]) => string)];

/** @param found with the flag `g` it means every such place, and there must be one at least */
export function replaceOnce(text: string, [found, put]: Replacement, where: string): string {
  const everywhere = found instanceof RegExp && found.global;
  const pattern = found instanceof RegExp && !everywhere ? new RegExp(found, `${found.flags}g`) : found;
  const places = pattern instanceof RegExp ? [...text.matchAll(pattern)].length : text.split(pattern).length - 1;
  if (everywhere ? places === 0 : places !== 1)
    throw new Error(
      `${where} has ${places} places for ${found}. Make the replacement of the test fit what is there now.`,
    );
  return text.replaceAll(pattern, typeof put === 'string' ? () => put : put);
}
