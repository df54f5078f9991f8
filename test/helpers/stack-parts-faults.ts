/**
 * Ports that fail at a chosen call. A process that dies is one whose calls never come back: nothing after that moment
 * happens, no error is handled, and whoever waits for it is told.
 */

import { TABLE_PORTS } from '../../lib/compose/table-ports.ts';
import { CrossfadeError } from '../../lib/core/base/errors.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { isTablePort } from './table-ports.ts';

/**
 * `dies`: the call has its effect, and nothing comes after it. `fails`: it has none and throws, the process lives on.
 * `loses the answer`: it has its effect and throws all the same.
 */
export const FAULTS = ['dies', 'fails', 'loses the answer'] as const;
export type Fault = (typeof FAULTS)[number];

export type Faulty = {
  ports: Ports;
  /** Calls so far, by name, in order. */
  calls: string[];
  /** Resolves when the process has died. */
  died: Promise<'died'>;
  /** The call that was hit, if any. */
  hit(): string | null;
};

const OUTSIDE = ['state', 'verdicts', 'windows', 'wakeUps', 'flags', 'sightings', ...TABLE_PORTS] as const;

/** @param at the number of the call among all calls to the outside, 1 is the first; or its name: the first of that name */
export function faultyAt(ports: Ports, at: number | string, fault: Fault): Faulty {
  const calls: string[] = [];
  let hit: string | null = null;
  let tellDeath: (value: 'died') => void = () => {};
  const died = new Promise<'died'>((resolve) => {
    tellDeath = resolve;
  });
  const never = new Promise<never>(() => {});

  async function call(name: string, effect: () => Promise<unknown>): Promise<unknown> {
    calls.push(name);
    if (fault === 'dies' && hit !== null) return never;
    if (hit !== null || at !== (typeof at === 'number' ? calls.length : name)) return effect();
    hit = name;
    if (fault !== 'fails') await effect();
    if (fault !== 'dies') throw unavailable(name);
    tellDeath('died');
    return never;
  }

  const wrapped = Object.fromEntries(
    OUTSIDE.map((port) => [
      port,
      new Proxy(ports[port], {
        get: (target, name) => {
          const made = target as unknown as Record<PropertyKey, (...args: unknown[]) => Promise<unknown>>;
          return (...args: unknown[]) => call(`${port}.${String(name)}`, () => made[name]!(...args));
        },
      }),
    ]),
  );
  return { ports: { ...ports, ...wrapped }, calls, died, hit: () => hit };
}

function unavailable(name: string): CrossfadeError {
  const code = isTablePort(name.split('.')[0]!)
    ? 'database_unavailable'
    : name.startsWith('flags')
      ? 'flags_unavailable'
      : 'store_unavailable';
  return new CrossfadeError(code, `${name} was made to fail.`, { retryable: true });
}
