/**
 * The order of test files: those that take longest begin, so that no core waits at the end for one file that came last.
 * The rest follows in the order of vitest itself (what failed last time, then the larger files).
 */

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files of more than ten seconds on two cores, longest first. */
const LONGEST = [
  'stack/start',
  'stack/kill',
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
  'postgres/zoo/zoo',
  'postgres/chinook-full',
  'servers/whole-life',
  'servers/foreign-schemas',
  'postgres/contract',
  'postgres/shape-watch',
  'postgres/wide',
  'postgres/swap-failures',
  'postgres/key-types',
  'postgres/in-the-way',
  'servers/other-servers',
  'postgres/crash',
  'postgres/rollback-wins',
  'postgres/aidis.test',
  'postgres/converge',
  'postgres/blind',
  'servers/maintenance',
  'postgres/burst',
  'postgres/validator',
  'postgres/health-agrees',
  'dynamodb/state-store',
  'dynamodb/local-server',
  'servers/hostile-settings',
  'dynamodb/window-store',
  'postgres/plan-notices',
  'postgres/equal-not-identical',
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
