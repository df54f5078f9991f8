/**
 * I1 I2 I3 I4 I5 I6 between two clusters: each key gets three concurrent transactions and is then left alone, while movers carry batches
 * without waiting for each other's lease, die before and after each of their calls, and deliver a batch after a later one. Without the
 * refusal of older batches the same burst leaves wrong rows.
 *
 * Replay one run with: CROSSFADE_SEED=<seed> npx vitest run --project servers test/integration/servers/remote-burst.test.ts
 */

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { PgConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import type { Remote } from '../../../lib/adapters/postgres/remote/remote.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import {
  died,
  dyingAt,
  losingFirstAnswersOf,
  type RemotePlane,
  remotePlane,
  rowsApart,
  type TwoDatabases,
  twoDatabases,
} from '../../helpers/remote-plane.ts';
import { seeded } from '../../property/samples.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const MOVERS = 3;
const KEYS = 120;
const WRITERS_A_KEY = 3;
const STOCK: TableCutover = {
  id: 'stock',
  validation: 'strict',
  table: { primary: 'public.stock', shadow: 'public.stock_new', connection: 'new' },
};
const ROWS = 'SELECT id::bigint, value, amount::bigint FROM stock';
const NEW_ROWS = 'SELECT id, value, amount FROM stock_new';

function transaction(key: number, writer: number, random: () => number): string {
  const token = `${key}.${writer}.${Math.floor(random() * 1e6)}`;
  const kind = random();
  const change =
    kind < 0.5
      ? `INSERT INTO stock VALUES (${key}, '${token}', ${writer}) ON CONFLICT (id) DO UPDATE SET value = '${token}', amount = stock.amount + 1`
      : kind < 0.75
        ? `UPDATE stock SET value = '${token}' WHERE id = ${key}`
        : `DELETE FROM stock WHERE id = ${key}`;
  const early = random() < 0.5 ? 'SELECT pg_current_xact_id();' : '';
  const pause = random() < 0.5 ? `SELECT pg_sleep(${(random() * 0.004).toFixed(4)});` : '';
  return `BEGIN; ${early} ${pause} ${change}; ${random() < 0.15 ? 'ROLLBACK' : 'COMMIT'}`;
}

/** Batches that are on their way, and what lets them go on. */
function overtaking() {
  const waiting: (() => void)[] = [];
  let over = false;
  return {
    /** Until another batch has been delivered; one at least is always delivered at once. */
    async behindAnother() {
      if (!over && waiting.length < MOVERS - 1) await new Promise<void>((go) => waiting.push(go));
    },
    delivered: () => waiting.shift()?.(),
    /** From now on no batch waits: there may be no other. */
    letGo: () => {
      over = true;
      for (const go of waiting.splice(0)) go();
    },
  };
}

type Faults = { random: () => number; order: ReturnType<typeof overtaking> };

/** A mover that waits for no lease, and dies before or after each of its calls. */
function unsteady({ random, order }: Faults): (remote: Remote) => Remote {
  const dying = (connection: PgConnection, before: (statement: string) => Promise<void>): PgConnection => ({
    ...connection,
    async call(statement, ...rest) {
      const named = /crossfade\."(claim|receive|settle)_/.exec(statement)?.[1];
      if (named === undefined) return connection.call(statement, ...rest);
      await before(named);
      if (random() < 0.08) throw died();
      const answer = await connection.call(statement, ...rest);
      if (named === 'receive') order.delivered();
      if (random() < 0.08) throw died();
      return answer as never;
    },
  });
  return (remote) => {
    const { runtime } = remote.primary;
    const noLease = async (named: string) =>
      void (
        named === 'claim' &&
        (await remote.primary.owner.call(
          "UPDATE crossfade.batch SET until = '-infinity' WHERE until < clock_timestamp() + interval '6 s'",
        ))
      );
    const late = async (named: string) => void (named === 'receive' && random() < 0.6 && (await order.behindAnother()));
    return {
      ...remote,
      primary: { ...remote.primary, runtime: dying(runtime, noLease) },
      shadow: { ...remote.shadow, connection: dying(remote.shadow.connection, late) },
    };
  };
}

describe.skipIf(inject('servers') === null)('a burst of writes while batches go to another cluster', () => {
  let two: TwoDatabases;
  let steady: RemotePlane;
  beforeAll(async () => {
    two = await twoDatabases();
    steady = remotePlane(two, STOCK);
  });
  afterAll(async () => {
    await steady.close();
    await two.drop();
  });

  async function burst(seed: number): Promise<{ left: string[]; right: string[] }> {
    const random = seeded(seed);
    await two.primary.owner
      .unsafe(`DROP TABLE IF EXISTS stock; CREATE TABLE stock (id integer PRIMARY KEY, value text, amount integer);
      INSERT INTO stock SELECT i, 'old', 0 FROM generate_series(1, ${KEYS / 2}) i`)
      .simple();
    await two.shadow.owner
      .unsafe(
        'DROP TABLE IF EXISTS stock_new; CREATE TABLE stock_new (id bigint PRIMARY KEY, value text, amount bigint)',
      )
      .simple();
    await steady.start(1);
    let written = false;
    const order = overtaking();
    const movers = Array.from({ length: MOVERS }, () => remotePlane(two, STOCK, unsteady({ random, order })));
    const moving = movers.map(async (mover) => {
      while (!written) {
        const result = await mover
          .converge('stock', 1, 1 + Math.floor(random() * 20))
          .catch((error) => error as CrossfadeError);
        if (result instanceof CrossfadeError && !result.retryable) throw result;
        if (result instanceof CrossfadeError || result.kind !== 'converged' || result.claimed === 0) order.delivered();
      }
      order.letGo();
    });
    const connections = Array.from({ length: WRITERS_A_KEY }, () => two.primary.connect(1, two.primary.roles.owner));
    const copied = steady.copy(1, 20);
    for (let key = 1; key <= KEYS; key += 1) {
      const texts = connections.map((_, n) => transaction(key, n, random));
      await Promise.all(connections.map((connection, n) => connection.unsafe(texts[n]!).simple()));
    }
    await copied;
    written = true;
    await Promise.all(moving);
    await steady.remote.primary.owner.call("UPDATE crossfade.batch SET until = '-infinity'");
    await steady.settle(1);
    await Promise.all([...movers, ...connections.map((one) => ({ close: () => one.end() }))].map((one) => one.close()));
    return rowsApart(two, ROWS, NEW_ROWS);
  }

  it('leaves both sides equal, whoever dies and whatever comes late', async () => {
    expect(await burst(SEED), `seed ${SEED}`).toEqual({ left: [], right: [] });
    expect(await steady.verify('stock', 1, 1)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
  });
});

/** Holds one batch between its claim and its delivery. */
function holdingBack(): { wrap(remote: Remote): Remote; claimed: Promise<void>; letGo(): void } {
  let letGo = () => {};
  const go = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let say = () => {};
  const claimed = new Promise<void>((resolve) => {
    say = resolve;
  });
  const wrap = (remote: Remote): Remote => {
    const { connection } = remote.shadow;
    const held: PgConnection = {
      ...connection,
      async call(statement, ...rest) {
        if (/crossfade\."receive_/.test(statement)) {
          say();
          await go;
        }
        return connection.call(statement, ...rest);
      },
    };
    return { ...remote, shadow: { ...remote.shadow, connection: held } };
  };
  return { wrap, claimed, letGo };
}

describe.skipIf(inject('servers') === null)('a mover', () => {
  let two: TwoDatabases;
  let steady: RemotePlane;
  const write = (text: string) => two.primary.owner.unsafe(text).simple();
  const leaseIsOver = () => steady.remote.primary.owner.call("UPDATE crossfade.batch SET until = '-infinity'");
  const apart = () => rowsApart(two, ROWS, NEW_ROWS);

  beforeAll(async () => {
    two = await twoDatabases();
    await write(
      "CREATE TABLE stock (id integer PRIMARY KEY, value text, amount integer); INSERT INTO stock SELECT i, 'old', 0 FROM generate_series(1, 50) i",
    );
    await two.shadow.owner.unsafe('CREATE TABLE stock_new (id bigint PRIMARY KEY, value text, amount bigint)').simple();
    steady = remotePlane(two, STOCK);
    await steady.start(1);
    await steady.copy(1);
  });
  afterAll(async () => {
    await steady.close();
    await two.drop();
  });

  async function deliveredLate(): Promise<{ left: string[]; right: string[] }> {
    const { wrap, claimed, letGo } = holdingBack();
    const late = remotePlane(two, STOCK, wrap);
    await write(
      "INSERT INTO stock VALUES (60, 'older', 1) ON CONFLICT (id) DO UPDATE SET value = 'older'; UPDATE stock SET value = 'older' WHERE id = 7",
    );
    const delivered = late.converge('stock', 1, 100);
    await claimed;
    await write("UPDATE stock SET value = 'newer' WHERE id = 7; DELETE FROM stock WHERE id = 60");
    await leaseIsOver();
    await steady.settle(1);
    letGo();
    await delivered;
    await late.close();
    return apart();
  }

  it('whose batch comes after a later one changes nothing: neither an update nor a deletion is undone', async () => {
    expect(await deliveredLate()).toEqual({ left: [], right: [] });
  });

  const DEATHS = ['claim', 'receive', 'settle'].flatMap((name) =>
    (['before', 'after'] as const).map((when) => [when, name] as const),
  );
  it.each(DEATHS)('that dies %s its call of %s leaves its work to the next', async (when, name) => {
    const mortal = remotePlane(two, STOCK, dyingAt(when, name));
    await write(
      `UPDATE stock SET value = '${when} ${name}' WHERE id < 20; DELETE FROM stock WHERE id = 21; INSERT INTO stock VALUES (21, '${when}', 3)`,
    );
    await expect(mortal.converge('stock', 1, 100)).rejects.toThrow('the mover died');
    await leaseIsOver();
    await steady.settle(1);
    await mortal.close();
    expect(await apart()).toEqual({ left: [], right: [] });
  });

  const OF_COPY = ['chunk', 'end_chunk'].flatMap((name) =>
    (['before', 'after'] as const).map((when) => [when, name] as const),
  );
  it.each(OF_COPY)('of the copy that dies %s its call of %s leaves it to the next', async (when, name) => {
    await two.shadow.owner
      .unsafe("DELETE FROM stock_new WHERE id % 2 = 0; INSERT INTO stock_new VALUES (777, 'ghost', 1)")
      .simple();
    await steady.remote.primary.owner.call("SELECT crossfade.begin_sweep('stock', 'a test')");
    const mortal = remotePlane(two, STOCK, dyingAt(when, name));
    await expect(mortal.backfill('stock', 1, 4)).rejects.toThrow('the mover died');
    await write('UPDATE stock SET amount = amount + 1 WHERE id < 30');
    await leaseIsOver();
    await steady.copy(1, 4);
    await steady.settle(1);
    await mortal.close();
    expect(await apart()).toEqual({ left: [], right: [] });
  });

  it('goes on at once where the answer is lost when its batch begins', async () => {
    const names = ['chunk', 'claim', 'begin_range'];
    const lost: string[] = [];
    const mover = remotePlane(two, STOCK, losingFirstAnswersOf(names, lost));
    await steady.remote.primary.owner.call("SELECT crossfade.begin_sweep('stock', 'a test')");
    expect(await mover.backfill('stock', 1, 500)).toMatchObject({ kind: 'copied', rows: 50 });
    await write("UPDATE stock SET value = 'lost' WHERE id = 3");
    expect(await mover.converge('stock', 1, 500)).toMatchObject({ kind: 'converged', claimed: 1, written: 1 });
    expect(await mover.verify('stock', 1, 1)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    expect(lost).toEqual(names);
    await mover.close();
  });

  it('whose answer is lost leaves the batch of another mover alone', async () => {
    const { wrap, claimed, letGo } = holdingBack();
    const [other, mover] = [
      remotePlane(two, STOCK, wrap),
      remotePlane(two, STOCK, losingFirstAnswersOf(['claim'], [])),
    ];
    await write("UPDATE stock SET value = 'of another mover' WHERE id = 4");
    const delivered = other.converge('stock', 1, 100);
    await claimed;
    expect(await mover.converge('stock', 1, 100)).toMatchObject({ kind: 'converged', claimed: 0 });
    letGo();
    expect(await delivered).toMatchObject({ kind: 'converged', written: 1, remaining: 0 });
    await Promise.all([other.close(), mover.close()]);
    expect(await apart()).toEqual({ left: [], right: [] });
  });

  it('that is not refused when its batch is older undoes both: what the refusal is for', async () => {
    await two.shadow.owner
      .unsafe(`CREATE OR REPLACE FUNCTION crossfade.accept_batch(p_id text, p_epoch bigint, p_number bigint) RETURNS text
        LANGUAGE sql AS $$ SELECT 'accepted'::text $$`)
      .simple();
    expect(await deliveredLate()).toEqual({ left: ['(7,newer,4)'], right: ['(7,older,4)', '(60,older,1)'] });
  });
});
