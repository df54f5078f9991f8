/**
 * The order of test files: those that take longest begin, so that no core waits at the end for one file that came last.
 * The rest follows in the order of vitest itself (what failed last time, then the larger files).
 */

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files of more than ten seconds on two cores, longest first. */
const LONGEST = [
  'stack/start',
  'stack/kill',
  'stack/newcomer',
  'e2e/api.test',
  'e2e/tick-dies',
  'e2e/tick-swap',
  'e2e/tick-together',
  'e2e/tick.test',
  'e2e/dashboard-page',
  'e2e/api-down',
  'e2e/api-programs',
  'e2e/gateway-example',
  'e2e/wake-ups',
  'servers/whole-life',
  'postgres/zoo/zoo',
  'postgres/chinook-full',
  'servers/foreign-schemas',
  'postgres/shape-watch',
  'postgres/wide',
  'postgres/contract',
  'postgres/burst',
  'postgres/key-types',
  'postgres/what-waits',
  'servers/maintenance',
  'postgres/swap-failures',
  'postgres/in-the-way',
  'dynamodb/local-server',
  'servers/hostile-settings',
  'postgres/blind',
  'postgres/local-server',
  'postgres/health-agrees',
  'postgres/crash',
  'servers/other-servers',
  'dynamodb/state-store',
  'postgres/validator',
  'postgres/adopt',
  'postgres/aidis.test',
  'postgres/equal-not-identical',
  'postgres/breakpoints',
  'postgres/converge',
  'postgres/event-triggers',
  'postgres/others-code',
  'postgres/rollback-wins',
  'postgres/isolation',
  'postgres/connection-killer',
  'postgres/preview-notices',
  'postgres/computed-columns',
  'postgres/round-trip',
  'postgres/twin',
  'postgres/many-tables',
  'postgres/same-key',
  'dynamodb/window-store',
  'postgres/return-trip',
  'scenario/concurrency',
  'scenario/simulation',
  'scenario/examples',
  'property/replay-families',
  'property/gates-simulation',
  'scenario/order',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((one, other) => placeOf(one) - placeOf(other));
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = LONGEST.findIndex(
    (name) => moduleId.includes(`/test/${name}`) || moduleId.includes(`/integration/${name}`),
  );
  return place < 0 ? LONGEST.length : place;
}
