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
  'e2e/tick',
  'e2e/dashboard-page',
  'e2e/api-down',
  'e2e/gateway-example',
  'e2e/api-programs',
  'servers/whole-life',
  'servers/foreign-schemas',
  'postgres/contract',
  'postgres/crash',
  'postgres/gateway-killer',
  'postgres/chinook-full',
  'scenario/simulation',
  'unit/template',
  'postgres/zoo/zoo',
  'postgres/swap-failures',
  'dynamodb/local-server',
  'postgres/local-server',
  'scenario/concurrency',
  'postgres/converge',
  'dynamodb/state-store',
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
