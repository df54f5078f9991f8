/**
 * Both services from the outside: fills the new one with what the old one had before, and compares everything they hold.
 * The load begins after `crossfade start`: from then on every write is forwarded, and what was written before is read here.
 */

const COLLECTIONS = ['users', 'conversations', 'tasks'] as const;

type Item = Record<string, unknown> & { id: string };

export type Difference = {
  /** What one side holds and the other does not hold alike; a document that differs is in both. */
  onlyLegacy: readonly string[];
  onlyReplacement: readonly string[];
  compared: number;
};

/** Legacy EXCEPT replacement, and replacement EXCEPT legacy. Each service keeps its own time of creation. */
export async function compareStores(legacyUrl: string, replacementUrl: string): Promise<Difference> {
  const [legacy, replacement] = await Promise.all([contentOf(legacyUrl), contentOf(replacementUrl)]);
  return {
    onlyLegacy: legacy.filter((row) => !replacement.includes(row)),
    onlyReplacement: replacement.filter((row) => !legacy.includes(row)),
    compared: legacy.length,
  };
}

/** Every document as one line, sorted. */
export async function contentOf(url: string): Promise<string[]> {
  const found = await Promise.all(
    COLLECTIONS.map(async (collection) => (await itemsOf(url, collection)).map((item) => line(collection, item))),
  );
  return found.flat();
}

export function line(collection: string, { created_at: _, ...item }: Item): string {
  return `${collection}/${item.id} ${JSON.stringify(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))}`;
}

/** Returns how many were not there yet. */
export async function loadReplacement(legacyUrl: string, replacementUrl: string): Promise<number> {
  let loaded = 0;
  for (const collection of COLLECTIONS) {
    for (const item of await itemsOf(legacyUrl, collection)) {
      const response = await fetch(`${replacementUrl}/load/${collection}/${item.id}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(item),
      });
      if (!response.ok) throw new Error(`Loading ${collection}/${item.id} was answered ${response.status}.`);
      if (((await response.json()) as { loaded: boolean }).loaded) loaded += 1;
    }
  }
  return loaded;
}

async function itemsOf(url: string, collection: string): Promise<Item[]> {
  const response = await fetch(`${url}/${collection}`);
  if (!response.ok) throw new Error(`${url}/${collection} was answered ${response.status}.`);
  return ((await response.json()) as { items: Item[] }).items;
}
