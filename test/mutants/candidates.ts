/** Everything that can be tried: the mutants with their room and the tests that are asked of them. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { replaceOnce } from '../helpers/replace-once.ts';
import type { Attempt } from './attempt.ts';
import { type Named, namedMutants, unnamedMutants } from './named.ts';
import { type Mutant, mutantsOf, mutated } from './operators.ts';
import { rounds } from './reach.ts';
import { ABOUT_SQL_TEXT, ROOMS, roomOf, WIDER } from './rooms.ts';

export type Candidate = Attempt & { room: string; change: string };

export const candidates = (root: string): Candidate[] => [
  ...sourceMutants(root),
  ...namedSql(root),
  ...unnamedSql(root),
];

function sourceMutants(root: string): Candidate[] {
  return [...new Set(ROOMS.flatMap(({ source }) => filesIn(root, source)))].flatMap((file) => {
    const room = roomOf(file)!;
    const text = readFileSync(join(root, file), 'utf8');
    const asked = rounds(file, room.tests, room.project === 'unit' ? WIDER : []);
    return mutantsOf(file, text).map((mutant) => ({
      id: mutant.id,
      room: room.source,
      project: room.project,
      rounds: asked,
      planted: { file, text: mutated(text, mutant) },
      change: told(mutant),
    }));
  });
}

function filesIn(root: string, source: string): string[] {
  if (!statSync(join(root, source)).isDirectory()) return [source];
  return readdirSync(join(root, source), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${source}/${name.replaceAll('\\', '/')}`);
}

const namedSql = (root: string): Candidate[] =>
  namedMutants(root).map(({ change, ...place }) => ({
    ...sqlCandidate(root, place, replaceOnce(place.text, change, place.id)),
    room: 'sql',
    change: '',
  }));

const unnamedSql = (root: string): Candidate[] =>
  unnamedMutants(root).map(({ mutant, ...place }) => ({
    ...sqlCandidate(root, { id: mutant.id, ...place }, mutated(place.text, mutant)),
    room: 'sql-text',
    change: told(mutant),
  }));

const POSTGRES = 'test/integration/postgres';
const AT_ONCE = 8;

/** Those that are about it, and at last all others: which functions a test comes to cannot be told from its imports. */
function sqlCandidate(root: string, { id, file, text, tests }: Omit<Named, 'change'>, changed: string): Attempt {
  const [first, ...others] = tests.map((name) => `${POSTGRES}/${name}`);
  const rest = filesIn(root, POSTGRES).filter(
    (name) =>
      name.endsWith('.test.ts') && ![...tests, ...ABOUT_SQL_TEXT].some((one) => name.startsWith(`${POSTGRES}/${one}`)),
  );
  const parts = Array.from({ length: Math.ceil(rest.length / AT_ONCE) }, (_, i) =>
    rest.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
  );
  return {
    id,
    project: 'postgres',
    rounds: [[first!], others, ...parts].filter((some) => some.length > 0),
    planted: file === null ? { statement: changed, original: text } : { file, text: changed },
  };
}

const told = ({ line, found, put }: Mutant): string =>
  `line ${line}: ${found.replaceAll(/\s+/g, ' ').slice(0, 60)} → ${put.slice(0, 40)}`;

/**
 * The same number of each room, as far as it has so many. Within a room those with the lowest hash of its text and the seed: what is not
 * changed stays in the sample.
 */
export function sampled(all: readonly Candidate[], count: number, seed: string): Candidate[] {
  const hash = ({ id }: Candidate) => createHash('sha256').update(`${seed} ${id}`).digest('hex');
  const places = new Map<string, number>();
  return all
    .map((candidate) => [hash(candidate), candidate] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, candidate]) => {
      const place = places.get(candidate.room) ?? 0;
      places.set(candidate.room, place + 1);
      return [place, candidate] as const;
    })
    .sort(([a], [b]) => a - b)
    .slice(0, count)
    .map(([, candidate]) => candidate);
}
