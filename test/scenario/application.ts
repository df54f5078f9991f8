/**
 * An application under migration, as far as Crossfade sees it: four instances that read by the flags they hold, refreshed
 * every 15 seconds at different moments, and writers that put a unique token into each row they touch. What it was
 * promised is kept beside it: `twin` is what its tables must hold, whatever Crossfade does.
 */

import type { CutoverDeclaration, Side } from '../../lib/core/cutover/cutover.ts';
import { bucketIndex } from '../../lib/core/gates/histogram.ts';
import { emptyWindow } from '../../lib/core/gates/minute-window.ts';
import type { FlagDocument } from '../../lib/core/routing/flags.ts';
import { bucketIn, decideRoute, type PreparedRoute, prepareRoute, sliceIn } from '../../lib/core/routing/routing.ts';
import type { OutcomeReport } from '../../lib/flows/forwards/record-outcomes.ts';
import { mergeFlags } from '../../lib/routing/flag-merge.ts';
import type { TablesInMemory } from '../helpers/fakes/tables/tables.ts';

/** How one side answers. */
export type Behaviour = {
  errorRate: number;
  /** Factor on every latency. */
  slower: number;
  /** Share of the reads that are compared with the other side, and of those the share that differs. */
  compared: number;
  mismatchRate: number;
};

export const HEALTHY: Behaviour = { errorRate: 0, slower: 1, compared: 0.2, mismatchRate: 0 };

export type Load = {
  readsPerMinute: number;
  writesPerMinute: number;
  rows: number;
  /** Every read stands for so many: proof takes thousands, and their routes are alike. */
  weight: number;
};

export type Application = {
  behaviour: Record<Side, Behaviour>;
  /** By cutover: how the shadow of this one differs from all others. */
  own: Map<string, Partial<Behaviour>>;
  /** Sides whose operations nobody reports. */
  silent: Set<Side>;
  /** What a newer SDK tells besides: the memory of its process, and whether failures lost their connection. */
  tells: { memory: number; failuresAreLostConnections: boolean } | null;
  readers: readonly { document: FlagDocument | null }[];
  /** One sixteenth of a minute: one reader refreshes, then reads and writes happen. */
  moment(index: number, served: FlagDocument | null): void;
  /** Everything counted since the last call, as the SDK would report it for this minute. */
  report(minute: number): OutcomeReport;
  twin(id: string): ReadonlyMap<number, string>;
  /** A write of one key outside of the usual load; null deletes. */
  write(id: string, key: number, value: string | null): void;
};

const READERS = 4;
export const MOMENTS = 16;
/** Latencies to draw from: 20 ms, give or take a twentieth. */
const LATENCIES_MS = Array.from({ length: 16 }, (_, i) => 20 * Math.exp(0.05 * ((i - 7.5) / 7.5)));
const USERS = 1_000_000;
const HOT_KEYS = 40;

/** What happened on one side, of one slice of the plan; null where the flags tell no slices. */
type Tally = {
  side: Side;
  slice: number | null;
  count: number;
  errors: number;
  checks: number;
  mismatches: number;
  latency: Record<number, number>;
};
const COUNTS = { count: 0, errors: 0, checks: 0, mismatches: 0 };

export function application(
  declarations: readonly CutoverDeclaration[],
  tables: TablesInMemory,
  random: () => number,
  load: Load,
): Application {
  const readers = Array.from({ length: READERS }, () => ({ document: null as FlagDocument | null }));
  const behaviour = { primary: { ...HEALTHY }, shadow: { ...HEALTHY } };
  const own = new Map<string, Partial<Behaviour>>();
  const silent = new Set<Side>();
  const twins = new Map<string, Map<number, string>>();
  const tallies = new Map<string, Map<string, Tally>>();
  let token = 0;
  let flushes = 0;

  function write(id: string, key: number, value: string | null): void {
    const twin = twins.get(id)!;
    if (value === null) twin.delete(key);
    else twin.set(key, value);
    tables.write(id, key, value);
  }

  function writeSomething(id: string): void {
    // Few keys are written often, most seldom; every seventh write deletes, and the next one may insert again.
    const key = 1 + Math.floor(HOT_KEYS * random() ** 2);
    token += 1;
    write(id, key, token % 7 === 0 ? null : `t${token}`);
  }

  function tallyOf(id: string, side: Side, slice: number | null): Tally {
    const own = tallies.get(id)!;
    const key = `${side} ${slice}`;
    const tally = own.get(key) ?? { side, slice, ...COUNTS, latency: {} };
    own.set(key, tally);
    return tally;
  }

  function read(id: string, prepared: PreparedRoute): void {
    const key = `user-${Math.floor(random() * USERS)}`;
    const bucket = prepared.slices === null ? undefined : bucketIn(prepared, { key });
    const { side } = decideRoute(prepared, { key }, bucket);
    const different = side === 'shadow' ? own.get(id) : undefined;
    const { errorRate, slower, compared, mismatchRate } = different
      ? { ...behaviour[side], ...different }
      : behaviour[side];
    const tally = tallyOf(id, side, sliceIn(prepared, bucket ?? null));
    tally.count += load.weight;
    if (errorRate > 0 && random() < errorRate) tally.errors += load.weight;
    const index = bucketIndex(LATENCIES_MS[Math.floor(random() * LATENCIES_MS.length)]! * slower);
    tally.latency[index] = (tally.latency[index] ?? 0) + load.weight;
    if (side !== 'shadow' || random() >= compared) return;
    tally.checks += load.weight;
    if (mismatchRate > 0 && random() < mismatchRate) tally.mismatches += load.weight;
  }

  for (const { id, kind } of declarations) {
    twins.set(id, new Map());
    tallies.set(id, new Map());
    if (kind === 'table') for (let key = 1; key <= load.rows; key += 1) write(id, key, `row ${key}`);
  }
  const made: Application = {
    behaviour,
    own,
    silent,
    tells: null,
    readers,
    moment(index, served) {
      const reader = readers[index % READERS]!;
      if (served) reader.document = mergeFlags(reader.document, served).document;
      for (const { id, kind } of declarations) {
        // Once for each document, as the SDK does it.
        const prepared = prepareRoute(reader.document?.cutovers[id], reader.document?.system);
        for (let i = share(load.readsPerMinute, index); i > 0; i -= 1) read(id, prepared);
        if (kind !== 'table') continue;
        for (let i = share(load.writesPerMinute, index); i > 0; i -= 1) writeSomething(id);
      }
    },
    report(minute) {
      flushes += 1;
      const { tells } = made;
      const told = ({ errors }: Pick<Tally, 'errors'>) =>
        tells ? { drops: tells.failuresAreLostConnections ? errors : 0 } : {};
      const windows = [...tallies].flatMap(([cutover, own]) =>
        [...own.values()]
          .filter(({ side }) => !silent.has(side))
          .map(({ slice, ...tally }) => ({
            cutover,
            operation: 'read',
            ...(slice === null ? {} : { slice }),
            ...emptyWindow(minute, tally.side),
            ...tally,
            ...told(tally),
          })),
      );
      for (const id of tallies.keys()) tallies.set(id, new Map());
      return { flushId: `flush-${flushes}`, source: 'app', windows, ...(tells ? { memory: tells.memory } : {}) };
    },
    twin: (id) => twins.get(id)!,
    write,
  };
  return made;
}

/** What falls into the index-th of the moments when `perMinute` is spread evenly. */
function share(perMinute: number, index: number): number {
  return Math.floor(((index + 1) * perMinute) / MOMENTS) - Math.floor((index * perMinute) / MOMENTS);
}
