/** The parts of `crossfade rehearse` that need no server: what a start accepts, how it is signed, what is shortened, what the steps make of failures. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { carryingStatements } from '../../../infra/local/rehearsal/database-settings.ts';
import { progress } from '../../../infra/local/rehearsal/progress.ts';
import { STEPS, type StepName } from '../../../infra/local/rehearsal/rehearsal.ts';
import { shortDeclaration } from '../../../infra/local/rehearsal/short-declaration.ts';
import { signingKey } from '../../../infra/local/rehearsal/signing-key.ts';
import { inOrder, type Perform, StepFailed } from '../../../infra/local/rehearsal/steps.ts';
import {
  declarationHash,
  readRehearsal,
  signRehearsal,
  thumbprintOf,
} from '../../../lib/adapters/http/rehearsal-token.ts';
import { signedIn } from '../../../lib/cli/rehearsal-file.ts';
import { HOUR_MS } from '../../../lib/core/base/units.ts';
import { rehearsalObstacle, type SignedRehearsal } from '../../../lib/core/holds/rehearsal.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import { tableOf } from '../../../lib/flows/rows/table-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-rehearsal-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NOW = Date.UTC(2026, 0, 5);
const RULE = { signedBy: ['k'.repeat(43)], hours: 24 };
const GOOD: SignedRehearsal = {
  cutover: 'orders',
  passed: true,
  endedMs: NOW - HOUR_MS,
  declaration: 'd1',
  shape: 's1',
  signedBy: RULE.signedBy[0]!,
};
const WANTED = { id: 'orders', declaration: 'd1', shape: 's1', rule: RULE };

describe('a start that requires a rehearsal', () => {
  it('takes one that passed, of the same declaration and tables, fresh, by a key that is trusted', () => {
    expect(rehearsalObstacle(GOOD, WANTED, NOW)).toBeNull();
    expect(
      rehearsalObstacle({ ...GOOD, signedBy: 'x' }, { ...WANTED, rule: { ...RULE, signedBy: null } }, NOW),
    ).toBeNull();
  });

  it.each<[Partial<SignedRehearsal> | null, RegExp]>([
    [null, /requires a rehearsal, and none was handed over/],
    [{ cutover: 'customer' }, /of cutover 'customer'/],
    [{ signedBy: 'x' }, /signed by key x/],
    [{ passed: false }, /failed/],
    [{ declaration: 'd2' }, /declaration was changed/],
    [{ shape: 's2' }, /another shape/],
    [{ endedMs: NOW - 25 * HOUR_MS }, /25 hours old; at most 24/],
    [{ endedMs: NOW + HOUR_MS }, /in the future/],
  ])('refuses %j, and names the command', (change, says) => {
    const why = rehearsalObstacle(change && { ...GOOD, ...change }, WANTED, NOW);
    expect(why).toMatch(says);
    expect(why).toContain('crossfade rehearse orders --database-url …, then crossfade start orders --rehearsal');
  });
});

describe('a signed report', () => {
  const key = signingKey(folder);
  const { signedBy: _, ...claims } = GOOD;

  it('says what was signed, by whom, and is read again by the key that was kept', async () => {
    const token = await signRehearsal({ ...claims, report: 'r' }, key);
    expect(await readRehearsal(token)).toEqual({ ...GOOD, signedBy: await thumbprintOf(signingKey(folder)) });
    const [head] = token.split('.');
    expect(Buffer.from(head!, 'base64url').toString()).not.toContain(key.d!);
  });

  it('that was changed anywhere is refused', async () => {
    const token = await signRehearsal({ ...claims, passed: false, report: 'r' }, key);
    const [head, body, signature] = token.split('.') as [string, string, string];
    const forged = Buffer.from(JSON.stringify({ ...claims, passed: true, report: 'r' })).toString('base64url');
    const other = await signRehearsal({ ...claims, report: 'r' }, key);
    for (const text of [
      `${head}.${forged}.${signature}`,
      `${other.split('.')[0]}.${body}.${other.split('.')[2]}`,
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${forged}.`,
      '',
    ])
      await expect(readRehearsal(text)).rejects.toMatchObject({ code: 'invalid_input' });
  });

  it.each([
    ['is not there', null, /no such file/],
    ['is no JSON', 'x', /no JSON/],
    ['is not signed', '{}', /not signed/],
  ])('in a file that %s is refused', (name, text, says) => {
    const file = join(folder, name);
    if (text !== null) writeFileSync(file, text);
    expect(() => signedIn(file)).toThrow(says);
  });
});

const ORDERS = { id: 'orders', kind: 'table', primary: 'public.orders', shadow: 'public.orders_v2' } as const;

describe('the declaration that is rehearsed', () => {
  it('keeps the table and is short; what differs is said', () => {
    const [declared] = defineCutovers([
      {
        ...ORDERS,
        policy: { twoPersonApproval: true },
        requireRehearsal: true,
        criteria: [
          {
            name: 'sum',
            equal: { primary: 'SELECT count(*) FROM {primary}', shadow: 'SELECT count(*) FROM {shadow}' },
          },
          { name: 'billing', alarm: 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:billing' },
        ],
      },
    ]).map(tableOf);
    const { declaration, changed } = shortDeclaration(declared!);
    expect(declaration.table).toEqual(declared!.table);
    expect(declaration.requireRehearsal).toBeUndefined();
    expect(declaration.policy.twoPersonApproval).toBe(false);
    expect(declaration.criteria?.map(({ name }) => name)).toEqual(['sum']);
    expect(Math.max(...declaration.plan.stages.map(({ dwellMinutes }) => dwellMinutes))).toBe(2);
    expect(changed.join('\n')).toMatch(/twoPersonApproval false[\s\S]*left out: billing/);
  });

  it('has another hash with each change, and the same where only the order of keys differs', () => {
    const hash = (change: object) => declarationHash(defineCutovers([{ ...ORDERS, ...change }])[0]!);
    expect(hash({})).toBe(hash({ validation: 'strict' }));
    expect(
      new Set([hash({}), hash({ mode: 'inline' }), hash({ plan: 'canary' }), hash({ requireRehearsal: true })]).size,
    ).toBe(4);
  });

  it('requires what it says: any key for a week, or these keys for so long', () => {
    const rule = (requireRehearsal: never) =>
      tableOf(defineCutovers([{ ...ORDERS, requireRehearsal }])[0]!).requireRehearsal;
    expect(rule(true as never)).toEqual({ signedBy: null, hours: 168 });
    expect(rule({ signedBy: RULE.signedBy, hours: 2 } as never)).toEqual({ ...RULE, hours: 2 });
    expect(rule(false as never)).toBeUndefined();
    expect(() => rule({ signedBy: ['short'] } as never)).toThrow(/thumbprint/);
  });
});

describe('the steps', () => {
  const performing = (failing: Partial<Record<StepName, Error>>): Perform =>
    Object.fromEntries(
      STEPS.map((name) => [name, () => (failing[name] ? Promise.reject(failing[name]) : Promise.resolve())]),
    ) as never;
  const going = () => progress(defineCutovers([ORDERS])[0]!.plan, 2_000);

  it('pass up to the one that fails, and none comes after it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...STEPS), async (name) => {
        const steps = await inOrder(performing({ [name]: new Error('no') }), going());
        const at = STEPS.indexOf(name);
        expect(steps.map(({ result }) => result)).toEqual(
          STEPS.map((_, place) => (place < at ? 'pass' : place === at ? 'fail' : 'skipped')),
        );
        expect(steps[at]!.failures).toEqual([{ about: name, says: 'no', remedy: '' }]);
      }),
      { seed: 5, numRuns: 20 },
    );
    expect((await inOrder(performing({}), going())).every(({ result }) => result === 'pass')).toBe(true);
  });

  it('say what is in the way as it was found', async () => {
    const finding = { about: 'row 7', says: 'too long', remedy: 'Correct it.' };
    const steps = await inOrder(performing({ copy: new StepFailed([finding]) }), going());
    expect(steps.find(({ name }) => name === 'copy')?.failures).toEqual([finding]);
  });

  it('take less and less time to the end', () => {
    const seen = going();
    const left = STEPS.map((name, place) => {
      seen.begin(name, place * 1_000);
      const line = seen.line(place * 1_000);
      expect(line).toMatch(new RegExp(`^step ${place + 1} of ${STEPS.length}: ${name} · about \\d+:\\d\\d left$`));
      const [, minutes, seconds] = /about (\d+):(\d\d)/.exec(line)!;
      seen.end(name, place * 1_000 + 500);
      return Number(minutes) * 60 + Number(seconds);
    });
    expect(left).toEqual([...left].sort((a, b) => b - a));
  });

  it('do not stand still where one takes longer than was expected', () => {
    const seen = progress(defineCutovers([ORDERS])[0]!.plan, 40);
    seen.begin('fault', 0);
    const lines = Array.from({ length: 60 }, (_, seconds) => seen.line(seconds * 1_000));
    for (const [at, line] of lines.entries()) expect([at, line]).not.toEqual([at, lines[at + 5]]);
    expect(lines.at(-1)).toMatch(/^step 5 of 11: fault · \d:\d\d longer than expected · about \d:\d\d left$/);
    // What comes after it and is like it will take as long.
    seen.begin('ramp', 0);
    const [early, late] = [seen.line(1_000), seen.line(300_000)].map((line) => Number(/about (\d+):/.exec(line)![1]));
    expect(late! - early!).toBeGreaterThanOrEqual(5);
  });
});

it('what belongs to a database is carried as statements that mean the same', () => {
  const statements = carryingStatements('copy', {
    connections: 5,
    settings: [
      { role: null, settings: ['search_path="$user", public', "a.b=it's"] },
      { role: 'App', settings: ['work_mem=8MB'] },
    ],
    grants: [{ grantee: null, privilege: 'CONNECT', grantable: false }],
  });
  expect(statements).toEqual([
    'ALTER DATABASE "copy" CONNECTION LIMIT 5',
    'ALTER DATABASE "copy" SET "search_path" TO "$user", public',
    `ALTER DATABASE "copy" SET "a"."b" TO 'it''s'`,
    `ALTER ROLE "App" IN DATABASE "copy" SET "work_mem" TO '8MB'`,
    'REVOKE ALL ON DATABASE "copy" FROM PUBLIC',
    'GRANT CONNECT ON DATABASE "copy" TO PUBLIC',
  ]);
});
