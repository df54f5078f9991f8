/** What declarations, each well formed, say against each other or against themselves. One sentence a contradiction. */

import { ruleProblems } from '../core/alerts/rule.ts';
import { type CutoverDeclaration, NO_OVERRIDES } from '../core/cutover/cutover.ts';
import { servedPpm } from '../core/cutover/plan.ts';
import { policyOf, policyProblems } from '../core/cutover/policy.ts';
import { remoteProblems, shadowName } from '../core/cutover/remote-shadow.ts';
import { groupsOf } from '../core/holds/cohort.ts';

export function contradictionsOf(declarations: readonly CutoverDeclaration[]): string[] {
  return [...duplicates(declarations), ...cohortProblems(declarations), ...declarations.flatMap(contradictions)];
}

function duplicates(declarations: readonly CutoverDeclaration[]): string[] {
  const ids = declarations.map(({ id }) => id);
  const twice = new Set(ids.filter((id, index) => ids.indexOf(id) < index));
  return [
    ...(ids.includes('system') ? ["no cutover may be called 'system': that is the flag of the switches for all"] : []),
    ...[...twice].map((id) => `cutover '${id}' is declared twice`),
    ...sharedTables(declarations),
  ];
}

/** Once for all tables that the same cutovers have. */
function sharedTables(declarations: readonly CutoverDeclaration[]): string[] {
  const owners = new Map<string, Set<string>>();
  for (const declaration of declarations) {
    if (declaration.kind !== 'table') continue;
    for (const table of [declaration.table.primary, shadowName(declaration.table)])
      owners.set(table, (owners.get(table) ?? new Set()).add(declaration.id));
  }
  const tablesOf = new Map<string, string[]>();
  for (const [table, ids] of owners) {
    if (ids.size < 2) continue;
    const said = [...ids].map((id) => `to '${id}'`).join(' and ');
    tablesOf.set(said, [...(tablesOf.get(said) ?? []), table]);
  }
  return [...tablesOf].map(([said, tables]) =>
    tables.length === 1 ? `table ${tables[0]} belongs ${said}` : `tables ${tables.join(' and ')} belong ${said}`,
  );
}

/** Members of a cohort move the same keys through the same stages. */
function cohortProblems(declarations: readonly CutoverDeclaration[]): string[] {
  const stagesOf = ({ plan }: CutoverDeclaration) =>
    plan.stages.map((stage) => `${stage.name} ${servedPpm(stage, plan)}`).join();
  return groupsOf(declarations).flatMap(([first, ...others]) =>
    others.flatMap((other) => {
      const pair = `cohort '${other.cohort}': '${first!.id}' and '${other.id}'`;
      const problems: string[] = [];
      if (other.salt !== first!.salt) problems.push(`${pair} have the salts '${first!.salt}' and '${other.salt}'`);
      if (stagesOf(other) !== stagesOf(first!)) problems.push(`${pair} have plans with different stages`);
      return problems;
    }),
  );
}

function contradictions(declaration: CutoverDeclaration): string[] {
  const { id, policy } = declaration;
  const problems: string[] = [];
  if (declaration.kind === 'table' && declaration.table.primary === shadowName(declaration.table))
    problems.push(`${id}: primary and shadow are both ${declaration.table.primary}`);
  if (declaration.kind === 'table') problems.push(...companionProblems(declaration));
  if (declaration.kind === 'table' && declaration.table.rollbackOnShadowFailure && declaration.table.mode !== 'inline')
    problems.push(
      `${id}.rollbackOnShadowFailure needs mode 'inline': a streamed write has ended before the shadow is written`,
    );
  if (declaration.kind === 'table') problems.push(...remoteProblems(declaration));
  const everywhere = policyProblems(policy, declaration.kind);
  problems.push(...everywhere.map((text) => `${id}.policy: ${text}`));
  for (const { name: stage, dwellMinutes } of declaration.plan.stages) {
    const deadline = policyOf(declaration, { stage, overrides: NO_OVERRIDES });
    const own = policyProblems(deadline, declaration.kind, dwellMinutes).filter((text) => !everywhere.includes(text));
    problems.push(...own.map((text) => `${id}.stages.${stage}: ${text}`));
  }
  problems.push(...criterionProblems(declaration), ...experimentProblems(declaration));
  problems.push(...ruleProblems(policy, declaration.alerts ?? []).map((problem) => `${id}.${problem}`));
  return problems;
}

/** A foreign key of a table to itself moves with it, and one column cannot be filled from two. */
function companionProblems({ id, table }: CutoverDeclaration & { kind: 'table' }): string[] {
  return Object.entries(table.companions ?? {}).flatMap(([name, columns]) => {
    const at = `${id}.companions.${name}`;
    if (name === table.primary || name === table.shadow)
      return [`${at}: companions are columns of other tables that reference ${table.primary}`];
    const [following, leading] = [Object.values(columns), Object.keys(columns)];
    const twice = following.find((column, index) => following.indexOf(column) < index || leading.includes(column));
    return [
      ...(leading.length === 0 ? [`${at}: no column is named`] : []),
      ...(twice === undefined ? [] : [`${at}: '${twice}' is the companion of more than one column, or has one itself`]),
    ];
  });
}

function criterionProblems({ id, kind, criteria = [] }: CutoverDeclaration): string[] {
  return criteria.flatMap((criterion, index) => [
    ...(criteria.findIndex(({ name }) => name === criterion.name) < index
      ? [`${id}.criteria.${index}: criterion '${criterion.name}' is declared twice`]
      : []),
    ...(kind !== 'table' && ('equal' in criterion || 'empty' in criterion)
      ? [
          `${id}.criteria.${index}: criterion '${criterion.name}' is SQL over the two tables of a cutover, and '${id}' moves a ${kind}. Ask your own program by 'http' instead`,
        ]
      : []),
  ]);
}

/** An experiment needs a stage that serves its share, or it could never collect. */
function experimentProblems({ id, experiments = [], plan }: CutoverDeclaration): string[] {
  const shares = plan.stages.filter(({ kind }) => kind === 'ramp').map(({ sharePpm }) => sharePpm / 10_000);
  return experiments.flatMap((experiment, index) => [
    ...(experiments.findIndex((other) => other.id === experiment.id) < index
      ? [`${id}.experiments.${index}: experiment '${experiment.id}' is declared twice`]
      : []),
    ...(shares.includes(experiment.share)
      ? []
      : [
          `${id}.experiments.${index}.share: no stage of plan '${plan.name}' serves ${experiment.share} %; its stages serve ${shares.join(', ')} %`,
        ]),
  ]);
}
