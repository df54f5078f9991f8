/** What the page shows is in its address, behind the `#`, so that it can be linked: one cutover, or the overview as it is sorted. */

const SORTS = ['health', 'name', 'stage', 'share', 'next', 'alerts'] as const;
export type Sort = (typeof SORTS)[number];

export type Place = {
  /** Null for the overview. */
  cutover: string | null;
  sort: Sort;
  /** Rows that have this text. */
  filter: string;
};

/** What an address does not say, or says wrongly, is as it is at first. */
export function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?');
  const words = new URLSearchParams(query);
  const sort = SORTS.find((one) => one === words.get('sort')) ?? 'health';
  return { cutover: decoded(path) || null, sort, filter: words.get('filter') ?? '' };
}

export function hashOf({ cutover = null, sort = 'health', filter = '' }: Partial<Place>): string {
  const words = new URLSearchParams();
  if (sort !== 'health') words.set('sort', sort);
  if (filter !== '') words.set('filter', filter);
  const query = words.size > 0 ? `?${words}` : '';
  return `#/${cutover === null ? '' : encodeURIComponent(cutover)}${query}`;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
