/** The example aidis: its scripts, and a crossing of it, the real flows over real tables with everything else in memory. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { aidisCutovers } from '../../infra/examples/aidis/cutovers.ts';
import { bucketIndex } from '../../lib/core/gates/histogram.ts';
import { type CutoverInput, defineCutovers } from '../../lib/define/cutovers.ts';
import { type OperatorCommand, operate } from '../../lib/flows/control/operate.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { outcomeBuffer } from '../../lib/flows/forwards/outcome-buffer.ts';
import { backfillAll } from '../../lib/flows/rows/backfill.ts';
import { serveWakeUps } from '../../lib/flows/rows/serve-wake-ups.ts';
import { verifyAll } from '../../lib/flows/rows/verify.ts';
import type { Ports, TablePorts } from '../../lib/ports/ports.ts';
import { NOW } from '../property/samples.ts';
import { inMemoryAlerts } from './fakes/alerts.ts';
import { inMemoryCriteria } from './fakes/criteria.ts';
import { inMemoryCustomMetrics } from './fakes/custom-metrics.ts';
import { inMemoryExperiments } from './fakes/experiments.ts';
import { inMemoryFlags } from './fakes/flags.ts';
import { forwardPorts, inMemoryForwards, nobodyThere } from './fakes/forwards.ts';
import { inMemoryState } from './fakes/state.ts';
import { inMemoryVerdicts } from './fakes/verdicts.ts';
import { inMemoryWakeUps } from './fakes/wake-ups.ts';
import { inMemoryWindows } from './fakes/windows.ts';
import { tablePorts } from './table-ports.ts';

export const AIDIS_TABLES = aidisCutovers.map(({ id }) => id);
const MINUTE_MS = 60_000;

export function aidisScript(name: 'primary' | 'seed' | 'shadow' | 'violations' | 'repair'): string {
  return readFileSync(fileURLToPath(new URL(`../../infra/examples/aidis/${name}.sql`, import.meta.url)), 'utf8');
}

/** The statements of a script that change one table. */
export function statementsFor(script: string, table: string): string {
  const of = new RegExp(`^(INSERT INTO|UPDATE) ${table}\\b`);
  return script
    .split('\n')
    .filter((line) => of.test(line))
    .join('\n');
}

export type Crossing = ReturnType<typeof aidisCrossing>;

/** Declarations with the patience of a test, two virtual minutes a stage; those of the example unless others are given. */
export function aidisCrossing(tables: TablePorts, cutovers: readonly CutoverInput[] = aidisCutovers) {
  const declarations = defineCutovers(
    cutovers.map((one) => ({ ...one, dwellMinutes: 2, policy: { minSamples: 10, warmUpMinutes: 0 } })),
  );
  let nowMs = NOW;
  let commands = 0;
  const clock = { now: () => nowMs, monotonicMs: () => performance.now(), sleep: async () => undefined };
  const failures: unknown[] = [];
  const state = inMemoryState({ clock });
  const flags = inMemoryFlags();
  const ports: Ports = {
    clock,
    ids: { next: () => `flush-${nowMs}` },
    log: { event: () => undefined, failure: (name, error) => void failures.push({ name, error }) },
    alerts: inMemoryAlerts(),
    customMetrics: inMemoryCustomMetrics(),
    criteria: inMemoryCriteria(),
    experiments: inMemoryExperiments(),
    metrics: { record: () => undefined, flush: () => undefined },
    state,
    verdicts: inMemoryVerdicts({ clock }),
    windows: inMemoryWindows({ clock }),
    wakeUps: inMemoryWakeUps(),
    ...forwardPorts(inMemoryForwards({ realNow: () => nowMs })),
    deliver: nobodyThere,
    flags,
    sightings: flags.sightings,
    ...tablePorts(tables),
  };
  const serving = { ...ports, outcomes: outcomeBuffer(ports, 0) };
  const declared = (id: string) => declarations.find((one) => one.id === id)!;
  const deadline = () => clock.monotonicMs() + 30_000;
  const stageOf = async (id: string) => (await state.readCutover(id))!.stage;

  /** A minute of one cutover: what readers report of both sides, the copy, the writer, the verifier, the tick. */
  async function minute(id: string): Promise<void> {
    nowMs += MINUTE_MS;
    const minuteNumber = nowMs / MINUTE_MS - 1;
    const window = {
      minute: minuteNumber,
      count: 2_000,
      errors: 0,
      keyless: 0,
      latency: { [bucketIndex(5)]: 2_000 },
      checks: 0,
      mismatches: 0,
    };
    const sides = (['primary', 'shadow'] as const).map((side) => ({
      cutover: id,
      operation: 'read',
      window: { ...window, side },
    }));
    await ports.windows.add(`reads-${minuteNumber}`, id, sides, nowMs);
    await tick(ports, [declared(id)]);
    await backfillAll(ports, [declared(id)], deadline());
    await serveWakeUps(serving, [declared(id)], [{ sequenceNumber: '1', cutover: id }], { deadlineMs: deadline() });
    await verifyAll(ports, [declared(id)]);
  }

  return {
    ports,
    declarations,
    failures,
    flags: () => flags.served(),
    stageOf,
    minute,
    /** As the control API runs it, based on what is stored. @throws CrossfadeError as the flow does */
    async command(id: string, command: OperatorCommand) {
      const basedOn = (await state.readCutover(id))?.version ?? 0;
      commands += 1;
      const idempotency = { key: `key-${commands}`, fingerprint: JSON.stringify(command) };
      return operate(ports, [declared(id)], declared(id), { command, actor: 'ada', basedOn, idempotency });
    },
    /** Minutes until a stage is reached. */
    async until(id: string, stage: string, within = 40): Promise<void> {
      for (let i = 0; i < within; i += 1) {
        if ((await stageOf(id)) === stage) return;
        await minute(id);
      }
      const seen = await ports.verdicts.read(id);
      throw new Error(`${id} is still in ${await stageOf(id)}: ${JSON.stringify(seen?.verdict.reasons ?? failures)}`);
    },
  };
}
