/** The ports of tables taken together: for tests that speak to all of them, or to one call of any. */

import { TABLE_PORTS } from '../../lib/compose/table-ports.ts';
import type { Ports, TablePorts } from '../../lib/ports/ports.ts';

type Together<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;

/** All calls of all of them, on one object: no name is used twice. */
export type TableCalls = Together<Ports[keyof TablePorts]>;
export type TableCall = keyof TableCalls;

export const isTablePort = (name: string): name is keyof TablePorts =>
  (TABLE_PORTS as readonly string[]).includes(name);

/** These of an object that has more. */
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
