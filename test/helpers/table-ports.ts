/** The ports of tables taken together: for tests that speak to all of them, or to one call of any. */

import type { Ports, TablePorts } from '../../lib/ports/ports.ts';

/** All calls of all seven, on one object: no name is used twice. */
export type TableCalls = Ports['capture'] &
  Ports['switches'] &
  Ports['copying'] &
  Ports['converging'] &
  Ports['verifying'] &
  Ports['swapping'] &
  Ports['inspecting'];
export type TableCall = keyof TableCalls;

export const TABLE_PORTS = Object.keys({
  capture: true,
  switches: true,
  copying: true,
  converging: true,
  verifying: true,
  swapping: true,
  inspecting: true,
} satisfies Record<keyof TablePorts, true>) as (keyof TablePorts)[];

export const isTablePort = (name: string): name is keyof TablePorts => (TABLE_PORTS as string[]).includes(name);

/** These seven of an object that has more. */
export const tablePorts = (all: TablePorts): TablePorts =>
  Object.fromEntries(TABLE_PORTS.map((name) => [name, all[name]])) as TablePorts;

export const tableCalls = (ports: TablePorts): TableCalls =>
  Object.assign({}, ...TABLE_PORTS.map((name) => ports[name])) as TableCalls;

type Answer = (...args: never[]) => Promise<unknown>;

/** Gives one call another answer, in place. The answer puts the call back as it was. */
export function replaceCall(ports: TablePorts, call: TableCall, answer: Answer): () => void {
  const port = TABLE_PORTS.map((name) => ports[name] as unknown as Record<string, Answer>).find((one) => call in one)!;
  const whole = port[call]!;
  port[call] = answer;
  return () => {
    port[call] = whole;
  };
}
