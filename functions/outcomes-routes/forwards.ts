/** Writes that applications make themselves: the intent before, what became of it after. */

import type { Composition } from '../../lib/compose/ports.ts';
import type { KnownStates } from '../../lib/flows/forwards/known-state.ts';
import { intendWrite, settleWrite } from '../../lib/flows/forwards/record-write.ts';
import { findCutover } from '../../lib/schemas/path.ts';
import { intendedWrite, settledWrite } from '../../lib/schemas/writes.ts';
import { route } from '../http/route.ts';

const instances = new WeakMap<Composition, KnownStates>();

function knownTo(composition: Composition): KnownStates {
  const known = instances.get(composition) ?? new Map();
  instances.set(composition, known);
  return known;
}

export const forwardRoutes = [
  route({
    method: 'POST',
    path: '/v1/forwards',
    scope: 'copies:write',
    summary: 'Records the intent of a write before it is made.',
    body: intendedWrite,
    renamed: ['forward'],
    handle: async (composition, { body: { cutover, ...write }, deadlineMs }) => {
      const declaration = findCutover(await composition.cutovers(), cutover);
      const ports = { ...composition.ports, known: knownTo(composition) };
      return { status: 200, body: await intendWrite(ports, declaration, write, deadlineMs) };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/forwards/settle',
    scope: 'copies:write',
    summary: 'Says what became of a write.',
    body: settledWrite,
    handle: async ({ ports, cutovers }, { body: { cutover, forward, outcome } }) => {
      const { id } = findCutover(await cutovers(), cutover);
      return { status: 200, body: await settleWrite(ports, id, forward, outcome) };
    },
  }),
];
