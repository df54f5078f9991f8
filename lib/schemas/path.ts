/** The parts of a path that name something: what the description says of each, its form, and what it names. */

import { CrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';
import { CUTOVER_ID, type CutoverDeclaration } from '../core/cutover/cutover.ts';
import type { Phase } from '../core/cutover/phase.ts';
import { type Json, textOf } from './input.ts';

/** A cutover, and what is declared with it. */
const PAIR_ID = /^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}$/;

export const PATH = {
  cutover: { description: 'Id of a declared cutover.', schema: textOf(CUTOVER_ID) },
  phase: { description: 'Name of a declared phase.', schema: textOf(CUTOVER_ID) },
  experiment: { description: 'CUTOVER.EXPERIMENT', schema: textOf(PAIR_ID) },
  alert: { description: 'CUTOVER.RULE', schema: textOf(PAIR_ID) },
  asset: { description: 'A part of the page.', schema: { type: 'string' } },
  proxy: { description: 'The path at the upstream; it may have slashes.', schema: { type: 'string' } },
} as const satisfies Readonly<Record<string, { description: string; schema: Json }>>;

/** @throws CrossfadeError `invalid_identifier`, `not_found` with the nearest id */
export function findCutover(declarations: readonly CutoverDeclaration[], id: string | undefined): CutoverDeclaration {
  if (id === undefined || !CUTOVER_ID.test(id)) {
    throw new CrossfadeError('invalid_identifier', 'A cutover id is lower_snake_case of at most 40 characters.');
  }
  const declaration = declarations.find((candidate) => candidate.id === id);
  if (declaration) return declaration;
  const ids = declarations.map((candidate) => candidate.id);
  throw new CrossfadeError(
    'not_found',
    `No cutover '${id}' is declared.${didYouMean(id, ids)} Declared: ${ids.join(', ') || 'none'}.`,
  );
}

/** @throws CrossfadeError `invalid_identifier`, `not_found` with the nearest name */
export function findPhase(phases: readonly Phase[], wanted: string | undefined): Phase {
  if (wanted === undefined || !CUTOVER_ID.test(wanted))
    throw new CrossfadeError('invalid_identifier', 'The name of a phase is lower_snake_case of at most 40 characters.');
  const found = phases.find((phase) => phase.name === wanted);
  if (found) return found;
  const names = phases.map((phase) => phase.name);
  const hint = didYouMean(wanted, names);
  throw new CrossfadeError(
    'not_found',
    `No phase '${wanted}' is declared.${hint} Declared: ${names.join(', ') || 'none'}.`,
  );
}

/** @throws CrossfadeError `invalid_identifier` */
function readPairId(id: string | undefined, form: string): string {
  if (id !== undefined && PAIR_ID.test(id)) return id;
  throw new CrossfadeError('invalid_identifier', `${form}, both in lower_snake_case.`);
}

export const readExperimentId = (id: string | undefined) => readPairId(id, "An experiment's id is CUTOVER.EXPERIMENT");
export const readAlertId = (id: string | undefined) => readPairId(id, "An alert's id is CUTOVER.RULE");
