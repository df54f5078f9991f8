/** Which tests reach a source file by their imports, nearest first: a change of the file can be seen by these only. */

import { importsOf, readSources } from '../helpers/imports.ts';

/** Who imports a file, for its values. */
function importers(): ReadonlyMap<string, readonly string[]> {
  const by = new Map<string, string[]>();
  for (const source of readSources(['lib', 'functions', 'infra', 'test']))
    for (const { target, typeOnly } of importsOf(source))
      if (target !== null && !typeOnly) by.set(target, [...(by.get(target) ?? []), source.file]);
  return by;
}

let known: ReadonlyMap<string, readonly string[]> | null = null;

/** Test files by the number of imports between them and the source: those that import it, those that import one that does, and so on. */
function testsByDistance(source: string): readonly (readonly string[])[] {
  known ??= importers();
  const seen = new Set([source]);
  const distances: string[][] = [];
  for (let ring = [source]; ring.length > 0; ) {
    ring = [...new Set(ring.flatMap((file) => known!.get(file) ?? []))].filter((file) => !seen.has(file));
    for (const file of ring) seen.add(file);
    const tests = ring.filter((file) => file.endsWith('.test.ts'));
    if (tests.length > 0) distances.push(tests);
  }
  return distances;
}

/**
 * In which order the tests are asked, a round at a time: the nearest of the room, its others, and then those of `wider`.
 * @param room beginnings of names, and so are `wider`
 */
export function rounds(
  source: string,
  room: readonly string[],
  wider: readonly string[],
): readonly (readonly string[])[] {
  const distances = testsByDistance(source);
  const within = (names: readonly string[]) =>
    distances.map((tests) => tests.filter((test) => names.some((name) => test.startsWith(name))));
  const [nearest = [], ...others] = within(room).filter((tests) => tests.length > 0);
  const asked = new Set([...nearest, ...others.flat()]);
  const rest = within(wider)
    .flat()
    .filter((test) => !asked.has(test));
  return [nearest, others.flat(), rest].filter((tests) => tests.length > 0);
}
