/**
 * Keys that lie, under the salt `customer`, on the buckets where 32-bit arithmetic goes wrong first, with the smallest
 * share that lets each in. Found by running murmur3 backwards, and confirmed with mmh3, the binding of the C++ original.
 */
export const EDGE_KEYS: readonly [key: string, bucket: number, firstPpm: number][] = [
  ['0ic6lsd3a87', 0, 1],
  ['hhzi8ood4se', 1, 1],
  ['dbkg8n6l96u', 2 ** 31 - 1, 500_000],
  ['xj8ylavappj', 2 ** 31, 500_001],
  ['pec9fnmo8h8', 2 ** 32 - 1, 1_000_000],
];
