/**
 * An application for a table that nothing is known of. It reads rows of both shapes through the SDK, and writes with the table's
 * own values: updates take a value of another row, inserts take a row again under a new key, deletes are undone. Every statement
 * that fails is counted; that a constraint of the table refuses invented values is no failure, and stops that kind of write.
 */

import postgres from 'postgres';
import { agentSource, createClient, httpSink } from '../../../lib/client/index.ts';
import type { LocalSettings } from '../../../lib/schemas/local-settings.ts';
import { inBothShapes, type Key, type LoadTable, named, pick } from './load-table.ts';
import { type WriteKind, writerOf } from './load-writes.ts';

export type LoadFigures = {
  reads: number;
  shadowReads: number;
  writes: Readonly<Record<WriteKind, number>>;
  /** Statements whose caller got an error, and the last one of each kind. */
  failed: number;
  failures: readonly string[];
  slowestWriteMs: number;
  /** Kinds of writes that the table does not take, each with why. */
  notWritten: readonly string[];
};

export type LoadOptions = {
  cutover: string;
  databaseUrl: string;
  primary: LoadTable;
  shadow: LoadTable;
  settings: LocalSettings;
  token: () => string;
};

export type Load = {
  figures(): LoadFigures;
  /** From then on reads of the new shape fail, so many of a hundred. 0 ends it. */
  failShadowReads(percent: number): void;
  /** Ends the reads: after cleanup there is one shape. */
  stopReads(): void;
  /** Ends the writes where the key has another name after promotion: no statement would be right before and after. */
  beforePromotion(): void;
  stop(): Promise<void>;
};

const READERS = 4;
const WRITERS = 2;
const READ_PAUSE_MS = 10;
const WRITE_PAUSE_MS = 40;
const SAMPLE = 400;
const USERS = 20_000;
const MAX_FAILURES = 5;

export async function startLoad(options: LoadOptions): Promise<Load> {
  const { primary, shadow } = options;
  // With its types: without them the driver never answers who reserves a connection that is not open.
  const sql = postgres(options.databaseUrl, { max: READERS + WRITERS, fetch_types: true, onnotice: () => {} });
  const client = clientOf(options);
  const keys = await sampleKeys(sql, primary);
  const seen = { reads: 0, shadowReads: 0, failed: 0, slowestWriteMs: 0, faultPercent: 0 };
  const failures = new Map<string, string>();
  const writer = writerOf(sql, inBothShapes(primary, shadow), keys);
  const ends = { reading: false, all: false };

  const failed = (error: unknown) => {
    const { code = 'none', message } = error as { code?: string; message: string };
    seen.failed += 1;
    if (failures.size < MAX_FAILURES || failures.has(code)) failures.set(code, `${code}: ${message}`);
  };
  async function read(): Promise<void> {
    const key = pick(keys);
    seen.reads += 1;
    await client.read(options.cutover, {
      key: `user-${Math.floor(Math.random() * USERS)}`,
      primary: () => sql.unsafe(`SELECT * FROM ${primary.ident} WHERE ${named(primary, key)}`),
      shadow: () => {
        seen.shadowReads += 1;
        if (Math.random() * 100 < seen.faultPercent) throw new Error('a fault that the rehearsal injects');
        return sql.unsafe(`SELECT * FROM ${shadow.ident} WHERE ${named(shadow, key)}`);
      },
    });
  }
  async function write(): Promise<void> {
    const startedMs = performance.now();
    await writer.write();
    seen.slowestWriteMs = Math.max(seen.slowestWriteMs, performance.now() - startedMs);
  }
  const loop = async (turn: () => Promise<void>, pauseMs: number, ended: () => boolean) => {
    while (!ended() && keys.length > 0) {
      await turn().catch(failed);
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())));
    }
  };
  await client.refresh();
  const loops = [
    ...Array.from({ length: READERS }, () => loop(read, READ_PAUSE_MS, () => ends.all || ends.reading)),
    ...Array.from({ length: WRITERS }, () => loop(write, WRITE_PAUSE_MS, () => ends.all)),
  ];
  return {
    figures: () => ({
      reads: seen.reads,
      shadowReads: seen.shadowReads,
      writes: { ...writer.counts },
      failed: seen.failed,
      failures: [...failures.values()],
      slowestWriteMs: Math.round(seen.slowestWriteMs),
      notWritten: writer.refused(),
    }),
    failShadowReads(percent) {
      seen.faultPercent = percent;
    },
    stopReads() {
      ends.reading = true;
    },
    beforePromotion() {
      if (primary.key.some((name) => !shadow.key.includes(name)))
        writer.end('from promotion on: a column of the key is renamed');
    },
    async stop() {
      ends.all = true;
      await Promise.all(loops);
      await client.close();
      await sql.end({ timeout: 2 });
    },
  };
}

function clientOf({ settings, token }: LoadOptions) {
  const { environment } = settings;
  return createClient({
    flags: agentSource({
      url: settings.appconfigEndpoint,
      application: environment.CROSSFADE_APPCONFIG_APPLICATION!,
      environment: environment.CROSSFADE_APPCONFIG_ENVIRONMENT!,
      profile: environment.CROSSFADE_APPCONFIG_PROFILE!,
      pollMs: 0,
    }),
    outcomes: httpSink({ url: settings.apiUrl, token }),
    now: () => Math.floor(settings.clockOriginMs + (Date.now() - settings.clockOriginMs) * settings.clockSpeed),
    maxFlagAgeMs: 500,
    flushIntervalMs: 400,
    // Everything shares one machine.
    flushDeadlineMs: 30_000,
    onProblem: () => {},
  });
}

async function sampleKeys(sql: postgres.Sql, { ident, key }: LoadTable): Promise<Key[]> {
  const rows = await sql.unsafe(
    `SELECT ${key.map((name, place) => `${name}::text AS k${place}`).join(', ')} FROM ${ident} ORDER BY random() LIMIT ${SAMPLE}`,
  );
  return rows.map((row) => key.map((_, place) => row[`k${place}`] as string));
}
