/**
 * Everything that a role may do, and what for: a grant is used by a scenario, or it is an exception with its reason (infra/grants.json). A
 * grant is an action of a statement, or a partition key that it reaches.
 */

import LEDGER from '../../infra/grants.json' with { type: 'json' };
import { patternsOf, ROLES } from './role-evaluation.ts';
import type { Statement } from './template-access.ts';

export type Ledger = {
  /** `of`: the name of a statement, in every role or in one, or one grant of it. */
  /** `byChance`: a scenario may use it or not, by when something dies. */
  exceptions: readonly { of: readonly string[]; why: string; byChance?: boolean }[];
  /** By test file, by role and statement. */
  used: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
};
export const GRANT_LEDGER: Ledger = LEDGER;

/** A line for each grant: `ControlRole.ReadState dynamodb:GetItem`, `ControlRole.ReadState audit#*`. */
const grantsIn = (roles: readonly Statement[] = ROLES): string[] => [
  ...new Set(
    roles.flatMap((one) => [...one.Action, ...patternsOf(one)].map((what) => `${one.role}.${one.Sid} ${what}`)),
  ),
];

const isOf = (grant: string, of: string): boolean => {
  const [statement = ''] = grant.split(' ');
  return [grant, statement, statement.split('.')[1]].includes(of);
};
const isException = ({ exceptions }: Ledger, grant: string) =>
  exceptions.some(({ of }) => of.some((one) => isOf(grant, one)));
const claimsOf = (claims: Ledger['used'][string] = {}): string[] =>
  Object.entries(claims).flatMap(([statement, whats]) => whats.map((what) => `${statement} ${what}`));

/** What is wrong with the ledger: grants without a use, uses and exceptions without a grant, and what is said to be both. */
export function ledgerFaults(ledger: Ledger = GRANT_LEDGER, roles: readonly Statement[] = ROLES): string[] {
  const grants = grantsIn(roles);
  const claimed = new Set(Object.values(ledger.used).flatMap(claimsOf));
  return [
    ...grants.flatMap((grant) => {
      const [uses, excepted] = [claimed.has(grant), isException(ledger, grant)];
      if (uses && excepted) return [`${grant}: an exception that is used`];
      return uses || excepted ? [] : [`${grant}: granted, and no scenario uses it`];
    }),
    ...[...claimed].filter((one) => !grants.includes(one)).map((one) => `${one}: used, and not granted`),
    ...ledger.exceptions
      .flatMap(({ of }) => of)
      .filter((one) => !grants.some((grant) => isOf(grant, one)))
      .map((one) => `${one}: an exception that nothing grants`),
  ];
}

/** What the ledger says of a scenario that was seen otherwise. @param file of the test that played it @param seen as `usedIn` says it */
export function ledgerAgainst(file: string, seen: readonly string[], ledger: Ledger = GRANT_LEDGER): string[] {
  const unchanging = { ...ledger, exceptions: ledger.exceptions.filter(({ byChance }) => !byChance) };
  return [
    ...claimsOf(ledger.used[file])
      .filter((claim) => !seen.includes(claim))
      .map((claim) => `${claim}: said to be used, and not seen`),
    ...seen.filter((one) => isException(unchanging, one)).map((one) => `${one}: an exception that was used`),
  ];
}
