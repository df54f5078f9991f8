/** What the parts of a path name, for the functions that know the declared cutovers. */

import type { Composition } from '../../lib/compose/ports.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { findCutover, PATH } from '../../lib/schemas/path.ts';
import type { Parameter } from './route.ts';

export type Knows = Pick<Composition, 'cutovers'>;

/** The same for callers without a token: what is not declared is nothing, and nothing is said of what is. */
export const declared: Parameter<Knows, CutoverDeclaration | undefined> = {
  ...PATH.cutover,
  find: async (id, { cutovers }) => (await cutovers()).find((one) => one.id === id),
};

export const cutover: Parameter<Knows, CutoverDeclaration> = {
  ...PATH.cutover,
  find: async (id, { cutovers }) => findCutover(await cutovers(), id),
};
