/** A table cutover for the contract suites: its ports, its rows, and the steps that the suites take with it. */

import { afterEach, beforeEach, expect } from 'vitest';
import type { VerificationResult } from '../../../../lib/core/gates/table-status.ts';
import type { TablePorts } from '../../../../lib/ports/ports.ts';
import type { MirrorRow } from '../../../../lib/ports/switches.ts';
import type { TableCutover } from '../../../../lib/ports/tables.ts';

export const ID = 'subject';

export type TablesHarness = {
  ports: TablePorts;
  /** `subject`: a table with an integer key `id` and a text `v`, and its empty shadow; nothing is armed. */
  cutover: TableCutover;
  /** The application writes the table that is authoritative now; `null` deletes. */
  write(key: number, value: string | null): Promise<void>;
  /** Somebody writes the other table behind our back. */
  tamper(key: number, value: string | null): Promise<void>;
  /** Others add a column: to both tables, or to the one in use only. */
  alter(which: 'both' | 'in use'): Promise<void>;
  /** From now on this key's row does not fit the other side, or does again. */
  block(key: number, blocked: boolean): Promise<void>;
  /** The pauses before further tries of hints that were put off are over. */
  endPauses(): Promise<void>;
  authoritative(): Promise<Record<number, string>>;
  follower(): Promise<Record<number, string>>;
  close(): Promise<void>;
};

const SETTLE_MS = 20_000;
/** Newer than every state of these tests. */
export const NEWEST = { epoch: 1_000, version: 1_000 };

export type TableBench = ReturnType<typeof tableBench>;

/** One for each test of the `describe` that it is called in. */
export function tableBench(open: () => Promise<TablesHarness>) {
  let subject: TablesHarness;
  beforeEach(async () => {
    subject = await open();
  });
  afterEach(() => subject.close());

  const fence = (epoch: number, changes: Partial<MirrorRow> = {}) =>
    subject.ports.switches.mirror({
      id: ID,
      epoch,
      version: epoch,
      stage: 'dual_write',
      shadowWrites: true,
      readPpm: 0,
      salt: ID,
      ...changes,
    });

  async function settle(epoch: number): Promise<void> {
    const { converging, inspecting } = subject.ports;
    const deadline = Date.now() + SETTLE_MS;
    for (;;) {
      const result = await converging.converge(ID, epoch, 500);
      expect(result.kind).toBe('converged');
      if ((await inspecting.status(ID))!.outboxRows === 0) return;
      if (Date.now() > deadline) throw new Error(`hints are left after ${SETTLE_MS} ms`);
      if (result.kind === 'converged' && result.claimed === 0) await subject.endPauses();
    }
  }

  async function copy(epoch: number, rows = 2): Promise<void> {
    while ((await subject.ports.copying.backfill(ID, epoch, rows)).kind === 'copied');
  }

  /** With so many rows; nothing is copied. */
  async function armedWith(rows: number): Promise<void> {
    for (let key = 1; key <= rows; key += 1) await subject.write(key, `v${key}`);
    await subject.ports.capture.arm(subject.cutover, { epoch: 1, version: 1 });
    await fence(1);
  }

  const swap = (fromEpoch: number, stage: string) => ({
    fromEpoch,
    toEpoch: fromEpoch + 1,
    stage,
    version: 100 + fromEpoch,
  });

  return {
    get ports(): TablePorts {
      return subject.ports;
    },
    get cutover(): TableCutover {
      return subject.cutover;
    },
    write: (key: number, value: string | null) => subject.write(key, value),
    tamper: (key: number, value: string | null) => subject.tamper(key, value),
    alter: (which: 'both' | 'in use') => subject.alter(which),
    block: (key: number, blocked: boolean) => subject.block(key, blocked),
    authoritative: () => subject.authoritative(),
    follower: () => subject.follower(),
    /** Known to be there: it was armed. */
    status: async () => (await subject.ports.inspecting.status(ID))!,
    fence,
    settle,
    copy,
    async started(rows: Record<number, string> = { 1: 'a', 2: 'b', 3: 'c' }): Promise<void> {
      for (const [key, value] of Object.entries(rows)) await subject.write(Number(key), value);
      await subject.ports.capture.arm(subject.cutover, NEWEST);
      expect(await fence(1)).toEqual({ kind: 'written' });
      await copy(1);
      await settle(1);
    },
    armedWith,
    /** The same, and all are copied. */
    async copied(rows = 4): Promise<void> {
      await armedWith(rows);
      await copy(1);
    },
    async verified(epoch: number, nowMs = 5): Promise<VerificationResult> {
      const answer = await subject.ports.verifying.verify(ID, epoch, nowMs);
      if (answer.kind !== 'verified') throw new Error(JSON.stringify(answer));
      return answer.result;
    },
    same: async () => expect(await subject.follower()).toEqual(await subject.authoritative()),
    swap,
    promote: (from: number) => subject.ports.swapping.promote(subject.cutover, swap(from, 'completed')),
    revert: (from: number) => subject.ports.swapping.revert(subject.cutover, swap(from, 'rolled_back')),
  };
}
