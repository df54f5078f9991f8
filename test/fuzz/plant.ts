/** A fault behind three conditions, each of which is rare: guidance meets them one after the other. */

import type { Fault } from '../helpers/source-mutant.ts';

export const PLANT: Fault = [
  'lib/routing/flag-check.ts',
  '  const wrong: string[] = [];\n  for',
  `  const wrong: string[] = [];
  if (Array.isArray(fields.salt)) {
    if (Array.isArray(fields.read_ppm)) {
      if (Array.isArray(fields.validation)) throw new TypeError('The planted fault.');
    }
  }
  for`,
];
