/**
 * DynamoDB by SIGKILL while states are written, and started again on what its disk holds. What was acknowledged is there, a write that was
 * not is there whole or not at all, and the next one continues the same audit log.
 *
 * DynamoDB Local answers a transaction some moments before its file has it, which the service does not. So a write counts as
 * acknowledged once the next read has found it, and that read must find it.
 *
 * Replay one run with: CROSSFADE_SEED=<seed> npx vitest run --project dynamodb test/integration/dynamodb/crash.test.ts
 */

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalDynamoDb, startDynamoDb } from '../../../infra/local/dynamodb.ts';
import { dynamoStateStore } from '../../../lib/adapters/dynamodb/state-store.ts';
import { isCrossfadeError } from '../../../lib/core/base/errors.ts';
import { type CutoverDeclaration, initialState } from '../../../lib/core/cutover/cutover.ts';
import { verifyChain } from '../../../lib/core/stage/audit.ts';
import { decide } from '../../../lib/core/stage/decide.ts';
import type { Command } from '../../../lib/core/stage/events.ts';
import { replay } from '../../../lib/core/stage/evolve.ts';
import { commit } from '../../../lib/flows/control/commit.ts';
import type { StateStore } from '../../../lib/ports/state.ts';
import { localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';
import { declarationOf, seeded } from '../../property/samples.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const random = seeded(SEED);
const CUTOVERS = ['orders', 'invoice', 'customer'].map((id) => declarationOf('table', { id }));

let folder: string;
let server: LocalDynamoDb;
let client: DynamoDBDocumentClient;
let state: StateStore;
/** Versions that were acknowledged, and found by a read. */
const acknowledged = new Map(CUTOVERS.map(({ id }) => [id, 0]));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crossfade-dynamodb-crash-'));
  server = await startDynamoDb({ directory: folder });
  client = localClient(server.endpoint);
  const { state: tableName } = await ownTables(client);
  const clock = { now: Date.now, sleep: async () => {} };
  state = dynamoStateStore({
    client,
    tableName,
    clock,
    ids: { next: randomUUID },
    random,
    requestTimeoutMs: PATIENT_CALL_MS,
  });
});
afterAll(async () => {
  client?.destroy();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a cutover, then pauses and resumes it, until the server does not answer any more. */
async function writeUntilItDies(declaration: CutoverDeclaration, told: () => void): Promise<void> {
  const { id } = declaration;
  let answered = 0;
  for (;;) {
    try {
      const before = (await state.readCutover(id)) ?? initialState(declaration);
      expect(before.version, `${id} was acknowledged, and is read`).toBeGreaterThanOrEqual(answered);
      acknowledged.set(id, before.version);
      if (answered > 0) told();
      const by = { nowMs: Date.now(), actor: 'ada' };
      const decision = decide(before, nextCommand(declaration, before), { ...by, emergencyStop: false });
      if (decision.kind === 'refused') throw new Error(decision.message);
      const done = await commit({ state }, before, decision, by);
      if (done.kind === 'applied') answered = done.state.version;
    } catch (error) {
      if (isCrossfadeError(error) && error.code === 'store_unavailable') return;
      throw error;
    }
  }
}

const nextCommand = (
  { plan }: CutoverDeclaration,
  { version, paused }: { version: number; paused: boolean },
): Command => (version === 0 ? { type: 'start', plan } : { type: paused ? 'resume' : 'pause' });

/** Back when the server has been killed after so many more writes, and is there again. */
async function crashAfter(writes: number): Promise<void> {
  let left = writes;
  const told = () => {
    left -= 1;
    if (left === 0) process.kill(server.pid, 'SIGKILL');
  };
  await Promise.all(CUTOVERS.map((declaration) => writeUntilItDies(declaration, told)));
  await server.stop();
  server = await startDynamoDb({ port: Number(new URL(server.endpoint).port), directory: folder });
}

describe(`I1 I18 I19 a DynamoDB that crashes, seed ${SEED}`, () => {
  it.each([1, 2])('crash %i: every acknowledged state is there, and the audit log leads to it', async () => {
    await crashAfter(5 + Math.floor(random() * 40));
    for (const declaration of CUTOVERS) {
      const { id } = declaration;
      const stored = (await state.readCutover(id)) ?? initialState(declaration);
      const log = await state.readAudit(id, { limit: 10_000, oldestFirst: true });
      const least = acknowledged.get(id)!;
      // The last write may have been answered, and may not.
      expect([least, least + 1]).toContain(stored.version);
      expect(verifyChain(log, stored)).toEqual({ intact: true, entries: stored.version });
      expect(replay(initialState(declaration), log)).toEqual(stored);
    }
  });
});
