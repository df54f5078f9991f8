/**
 * What the environment of a process switches: `CROSSFADE_READONLY`, `CROSSFADE_MIGRATION_PHASE` and the overrides
 * `CROSSFADE_<CUTOVER>`. A value that is none of the known words is ignored and can be asked for, so that a typing error
 * is neither a switch nor a secret.
 */

import type { SystemFlag } from '../core/routing/flags.ts';
import type { Environment } from '../routing/route-table.ts';

export type Switches = {
  /** Either the environment or the system's flag can switch it on, and neither can switch the other off. */
  isReadonly(system: SystemFlag | undefined): boolean;
  /** `legacy`, `phase1` …, `cleanup`: the environment's, else the system's. */
  migrationPhase(system: SystemFlag | undefined): string;
  /** Names of variables with a value that means nothing. */
  invalid(cutovers: readonly string[]): readonly string[];
};

const PHASE = /^(legacy|phase[1-9]\d?|cleanup)$/;
const ON = ['1', 'true'];
const OFF = ['', '0', 'false'];

export function readSwitches(environment: Environment): Switches {
  const { CROSSFADE_READONLY: readonly = '', CROSSFADE_MIGRATION_PHASE: phase = '' } = environment;
  const ownPhase = PHASE.test(phase) ? phase : null;
  return {
    isReadonly: (system) => ON.includes(readonly) || system?.readonly === true,
    migrationPhase: (system) => ownPhase ?? system?.migration_phase ?? 'none',
    invalid: (cutovers) => [
      ...(ON.includes(readonly) || OFF.includes(readonly) ? [] : ['CROSSFADE_READONLY']),
      ...(phase === '' || ownPhase ? [] : ['CROSSFADE_MIGRATION_PHASE']),
      ...cutovers
        .map((cutover) => `CROSSFADE_${cutover.toUpperCase()}`)
        .filter((name) => !['', 'primary', 'shadow'].includes(environment[name] ?? '')),
    ],
  };
}
