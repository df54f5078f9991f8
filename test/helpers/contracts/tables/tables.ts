/** What the ports of live tables must do, whoever implements them. Run against those in memory and those on Postgres. */

import { describe } from 'vitest';
import { type TablesHarness, tableBench } from './bench.ts';
import { captureContract } from './capture.ts';
import { convergingContract } from './converging.ts';
import { copyingContract } from './copying.ts';
import { inspectingContract } from './inspecting.ts';
import { swappingContract } from './swapping.ts';
import { switchesContract } from './switches.ts';
import { verifyingContract } from './verifying.ts';

const CONTRACTS = {
  capture: captureContract,
  switches: switchesContract,
  copying: copyingContract,
  converging: convergingContract,
  verifying: verifyingContract,
  swapping: swappingContract,
  inspecting: inspectingContract,
} as const;

export function tablesContract(name: string, open: () => Promise<TablesHarness>): void {
  for (const [subject, contract] of Object.entries(CONTRACTS)) {
    describe(`the port of ${subject} ${name}`, () => contract(tableBench(open)));
  }
}
