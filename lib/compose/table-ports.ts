/** The names of the ports of tables: they are made together, and for tests they are taken together. */

import type { TablePorts } from '../ports/ports.ts';

export const TABLE_PORTS = [
  'capture',
  'switches',
  'copying',
  'converging',
  'verifying',
  'swapping',
  'inspecting',
] as const satisfies readonly (keyof TablePorts)[];
