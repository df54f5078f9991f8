/** Work on many things with a bound on how many at once. A slow one keeps one lane busy; the rest go on in the others. */

/** Results in the order of the items. `work` does not reject: what fails for one must not end the others. */
export async function withConcurrencyLimit<Item, Result>(
  items: readonly Item[],
  lanes: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array(items.length);
  const waiting = items.entries();
  const lane = async () => {
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
  return results;
}
