/**
 * The order in which cutovers are made: groups of them, what comes before what, what must be prepared and what proves that
 * a group has succeeded. Every problem is reported at once, with its path.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';
import type { CutoverDeclaration } from '../core/cutover/cutover.ts';
import type { Phase } from '../core/cutover/phase.ts';
import { PHASE_KEYS, type PhaseForm, phaseInput } from '../schemas/phases.ts';

import { describe } from '../schemas/problems.ts';

export type PhaseInput = PhaseForm;

/**
 * The declarations, each with the phase it belongs to; those of no phase are not held by any.
 * @throws CrossfadeError `invalid_plan` that names every problem with its path
 * @example export default definePhases([{ name: 'planner', cutovers: ['planner'], soakMinutes: 2880 }], defineCutovers([…]));
 */
export function definePhases(
  input: readonly PhaseInput[],
  declarations: readonly CutoverDeclaration[],
): CutoverDeclaration[] {
  const problems: string[] = [];
  const phases = input.flatMap((one, index): Phase[] => {
    const result = phaseInput.safeParse(one);
    if (result.success) return [{ ...result.data, place: index }];
    const issues = result.error.issues.map((issue) => ({ ...issue, path: ['phases', index, ...issue.path] }));
    problems.push(...issues.flatMap((issue) => describe(issue, PHASE_KEYS)));
    return [];
  });
  problems.push(...references(phases, declarations), ...cycles(phases), ...splitCohorts(phases, declarations));
  if (problems.length > 0) {
    throw new CrossfadeError('invalid_plan', `The phases cannot be used: ${problems.join('; ')}.`, {
      details: { problems },
    });
  }
  return declarations.map((declaration) => {
    const phase = phases.find(({ cutovers }) => cutovers.includes(declaration.id));
    return phase ? { ...declaration, phase } : declaration;
  });
}

function references(phases: readonly Phase[], declarations: readonly CutoverDeclaration[]): string[] {
  const problems: string[] = [];
  const ids = declarations.map(({ id }) => id);
  const names = phases.map(({ name }) => name);
  const owner = new Map<string, string>();
  for (const [index, phase] of phases.entries()) {
    const path = `phases.${phase.name}`;
    if (names.indexOf(phase.name) !== index) problems.push(`${path} is declared twice`);
    for (const id of phase.cutovers) {
      if (!ids.includes(id)) problems.push(`${path}.cutovers: no cutover '${id}' is declared.${didYouMean(id, ids)}`);
      const other = owner.get(id);
      if (other !== undefined) problems.push(`${path}.cutovers: '${id}' belongs to phase '${other}' already`);
      owner.set(id, phase.name);
    }
    for (const before of phase.after)
      if (!names.includes(before))
        problems.push(`${path}.after: no phase '${before}' is declared.${didYouMean(before, names)}`);
    const checks = [...phase.preparation, ...phase.validation, ...phase.criteria].map(({ name }) => name);
    for (const name of new Set(checks.filter((check, i) => checks.indexOf(check) !== i)))
      problems.push(`${path}: check '${name}' appears twice`);
    problems.push(...criterionProblems(phase, phases, declarations));
    if (phase.validation.length > 0 && phase.after.length === 0)
      problems.push(`${path}.validation: it comes after no phase, so there is nothing to validate between them`);
  }
  return problems;
}

/** A check on a criterion names one that a cutover has which the check is about, and which is under way by then. */
function criterionProblems(
  phase: Phase,
  phases: readonly Phase[],
  declarations: readonly CutoverDeclaration[],
): string[] {
  const path = `phases.${phase.name}`;
  const before = phases.filter(({ name }) => phase.after.includes(name)).flatMap(({ cutovers }) => cutovers);
  const declaredBy = (ids: readonly string[]) =>
    declarations.filter(({ id }) => ids.includes(id)).flatMap(({ criteria = [] }) => criteria.map(({ name }) => name));
  const unknown = (part: 'validation' | 'criteria', ids: readonly string[]) =>
    phase[part].flatMap((check) =>
      'criterion' in check && !declaredBy(ids).includes(check.criterion)
        ? [
            `${path}.${part}: check '${check.name}' wants criterion '${check.criterion}', which none of ${ids.join(', ') || 'its cutovers'} declares.${didYouMean(check.criterion, declaredBy(ids))}`,
          ]
        : [],
    );
  return [
    ...phase.preparation.flatMap((check) =>
      'criterion' in check
        ? [
            `${path}.preparation: check '${check.name}' wants criterion '${check.criterion}', which is observed only once its cutover has started: put it into criteria`,
          ]
        : [],
    ),
    ...unknown('validation', before),
    ...unknown('criteria', phase.cutovers),
  ];
}

/** Each cycle once, as the way around it. */
function cycles(phases: readonly Phase[]): string[] {
  const problems: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, way: readonly string[]) => {
    const at = way.indexOf(name);
    if (at >= 0)
      problems.push(`phases.${name}.after: the phases wait for each other: ${[...way.slice(at), name].join(' → ')}`);
    if (at >= 0 || done.has(name)) return;
    for (const before of phases.find((phase) => phase.name === name)?.after ?? []) visit(before, [...way, name]);
    done.add(name);
  };
  for (const { name } of phases) visit(name, []);
  return problems;
}

/** A cohort moves as one, so it cannot wait for two phases. */
function splitCohorts(phases: readonly Phase[], declarations: readonly CutoverDeclaration[]): string[] {
  const phaseOf = (id: string) => phases.find(({ cutovers }) => cutovers.includes(id))?.name;
  const homes = new Map<string, Set<string | undefined>>();
  for (const { id, cohort } of declarations)
    if (cohort !== undefined) homes.set(cohort, (homes.get(cohort) ?? new Set()).add(phaseOf(id)));
  return [...homes].flatMap(([cohort, names]) =>
    names.size > 1
      ? [`cohort '${cohort}' is spread over ${[...names].map((name) => name ?? 'no phase').join(', ')}`]
      : [],
  );
}
