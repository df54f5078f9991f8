/** What the emergency stop past the API did, or in a drill would do, as text. */

import type { BreakGlassResult } from '../flows/control/break-glass.ts';
import { printable } from './text.ts';

export function renderBreakGlass({ dryRun, state, cutovers, flags }: BreakGlassResult): string {
  const moved = cutovers.map(
    ({ id, from, to, problem }) => `  ${printable(id)}: ${printable(problem ?? `${from} → ${to}`)}`,
  );
  const seen = moved.length > 0 ? moved : ['  No cutover is under way.'];
  if (dryRun)
    return [
      state.why
        ? `The state could not be read: ${printable(state.why)}`
        : 'The state was read. A stop would roll back:',
      ...(state.why ? [] : seen),
      `The flags: ${printable(flags.why ?? 'could be read')}. Nothing was written.`,
    ].join('\n');
  return [
    state.stopped ? 'The stop is in the state: nothing starts or advances until it is lifted.' : notStopped(state.why),
    ...(state.stopped ? seen : []),
    flags.published
      ? 'Safe flags are deployed: readers return to the primary.'
      : `Safe flags are NOT deployed: ${printable(flags.why ?? 'unknown')}. Set CROSSFADE_<CUTOVER>=primary in the application and restart it.`,
  ].join('\n');
}

const notStopped = (why = 'unknown') =>
  `The stop is NOT in the state: ${printable(why)}. A tick that runs would publish the earlier flags: repeat this.`;
