/** The configuration: what a declaration becomes, and everything that is refused when it is loaded. */

import { describe, expect, it } from 'vitest';
import cutovers from '../../../infra/cutovers.ts';
import { CrossfadeError, ERROR_CODES } from '../../../lib/core/base/errors.ts';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { unknownConnections } from '../../../lib/core/cutover/remote-shadow.ts';
import { type CutoverInput, defineCutovers } from '../../../lib/define/cutovers.ts';
import { cpuMs } from '../../helpers/cpu-time.ts';

const TABLE = { id: 'customer', kind: 'table', primary: 'public.customer', shadow: 'public.customer_v2' } as const;
const SERVICE = {
  id: 'chat',
  kind: 'service',
  upstreams: { primary: 'https://old.test/api', shadow: 'https://new.test/api' },
} as const;

/** The refusal of anything at all as configuration; null when it is taken. */
function refusal(...input: unknown[]): { code: string; problems: readonly string[]; message: string } | null {
  try {
    defineCutovers(input as CutoverInput[]);
  } catch (error) {
    if (!(error instanceof CrossfadeError)) throw error;
    return { code: error.code, problems: error.details.problems as string[], message: error.message };
  }
  return null;
}
const table = (over: object) => ({ ...TABLE, ...over });

describe('a declaration', () => {
  it('is completed with the defaults', () => {
    const [customer] = defineCutovers([TABLE]);
    expect(customer).toMatchObject({
      id: 'customer',
      kind: 'table',
      salt: 'customer',
      validation: 'strict',
      policy: DEFAULT_POLICY,
      plan: { name: 'gradual' },
      allow: [],
      deny: [],
      table: { primary: 'public.customer', shadow: 'public.customer_v2' },
    });
  });

  it('may name each of the three kinds, a plan of its own, limits and columns', () => {
    const defined = defineCutovers([
      table({
        plan: {
          name: 'mine',
          ramp: [
            ['one', 0.0003],
            ['all', 100],
          ],
        },
        dwellMinutes: { one: 5 },
        policy: { minSamples: 7 },
        columns: { email: { from: 'mail' }, full_name: { sql: "first || ' ' || last" }, note: { added: true } },
        reverse: { first: { sql: "split_part(full_name, ' ', 1)" }, born: { insertOnly: 'now()' } },
      }) as CutoverInput,
      { id: 'planner', kind: 'component', plan: 'canary', dwellMinutes: 3 },
      SERVICE,
    ]);
    expect(defined.map((one) => one.kind)).toEqual(['table', 'component', 'service']);
    expect(defined[0]!.plan.stages.map((stage) => stage.sharePpm)).toEqual([0, 0, 3, 1_000_000, 1_000_000]);
    expect(defined[0]!.plan.stages[2]!.dwellMinutes).toBe(5);
    expect(defined[0]!.policy).toEqual({ ...DEFAULT_POLICY, minSamples: 7 });
  });

  it('says how rows are written, and what it does not say stays out of the declaration', () => {
    const declared = (changes: object) => defineCutovers([table(changes)] as never)[0] as { table: object };
    expect(declared({ mode: 'inline', rollbackOnShadowFailure: true }).table).toMatchObject({
      mode: 'inline',
      rollbackOnShadowFailure: true,
    });
    expect(declared({ indexesAfterCopy: true }).table).toMatchObject({ indexesAfterCopy: true });
    expect(declared({}).table).not.toHaveProperty('mode');
    expect(refusal(table({ rollbackOnShadowFailure: true }))).toMatchObject({
      problems: [expect.stringMatching(/rollbackOnShadowFailure needs mode 'inline'/)],
    });
    expect(refusal(table({ mode: 'in-line' }))).not.toBeNull();
  });

  it('that is deployed with this repository is taken', () => {
    expect(cutovers.length).toBeGreaterThan(0);
  });
});

describe('rows 20–23: names that are none', () => {
  const names = [
    'users; drop table users',
    '"users"',
    'users--',
    'users/**/',
    'public.users; drop table users',
    'public."users"',
    'public.users--',
    'public.users/**/',
    'pg_catalog.pg_authid',
    'pg_toast.pg_toast_1',
    'information_schema.tables',
    'crossfade.outbox',
    'users',
    'public.',
    '.users',
    'public.usеrs',
    `public.${'a'.repeat(64)}`,
    'public.users\0',
    'public.users\n',
    ' public.users',
    '',
  ];

  it.each(names)('%j is no table', (name) => {
    for (const side of ['primary', 'shadow']) {
      expect(refusal(table({ [side]: name }))).toMatchObject({
        code: 'invalid_identifier',
        problems: [expect.stringMatching(new RegExp(`^customer\\.${side}: `))],
      });
    }
  });

  it.each(['public.User', 'Sales.Order Line', 'public.größe', 'public.заказ', 'public.order-items', 'public.100%'])(
    '%j is a table, as ORMs and people name them',
    (name) => {
      expect(
        refusal(table({ primary: name, key: ['createdAt'], columns: { createdAt: { from: 'Made At' } } })),
      ).toBeNull();
    },
  );

  it('a name of 63 bytes is one', () => {
    expect(refusal(table({ primary: `${'s'.repeat(63)}.${'t'.repeat(63)}` }))).toBeNull();
  });

  it.each(['id, (select 1)', 'email"', 'a'.repeat(64), 'é'.repeat(32), ' email', 'email;', 'email--', 'еmail', ''])(
    '%j is no column',
    (name) => {
      for (const columns of [{ [name]: { from: 'email' } }, { email: { from: name } }]) {
        expect(refusal(table({ columns }))).toMatchObject({ code: 'invalid_identifier' });
      }
      expect(refusal(table({ reverse: { [name]: { sql: '1' } } }))).toMatchObject({ code: 'invalid_identifier' });
    },
  );

  it.each([
    '../x',
    '%2e%2e%2f',
    '',
    'a'.repeat(300),
    'x\0',
    '😀',
    '\u200fx',
    'Customer',
    '1st',
    'with-dash',
    'shape',
    'hash',
  ])('%j is no id', (id) => {
    expect(refusal(table({ id }))).toMatchObject({ code: 'invalid_identifier' });
  });

  it('exits with 2 and answers 400, whichever of the three codes it is', () => {
    for (const code of ['invalid_identifier', 'invalid_plan', 'invalid_config'] as const) {
      expect(ERROR_CODES[code]).toEqual({ status: 400, exit: 2 });
    }
  });
});

describe('row 70: plans that cannot be', () => {
  const plan = (...ramp: [string, number][]) => table({ plan: { name: 'mine', ramp } });

  it.each([
    ['falls', plan(['a', 50], ['b', 10], ['all', 100])],
    ['repeats', plan(['a', 10], ['b', 10], ['all', 100])],
    ['repeats a name', plan(['a', 10], ['a', 20], ['all', 100])],
    ['has 0 in a ramp', plan(['a', 0], ['all', 100])],
    ['has 100 in a ramp', plan(['a', 100], ['all', 100])],
    ['has 51 stages', plan(...Array.from({ length: 47 }, (_, i): [string, number] => [`s${i}`, i + 1]), ['all', 100])],
    [
      'has 200 stages',
      plan(...Array.from({ length: 199 }, (_, i): [string, number] => [`s${i}`, (i + 1) / 2]), ['all', 100]),
    ],
    ['has an infinite share', plan(['a', Number.POSITIVE_INFINITY], ['all', 100])],
    ['has a share that is no number', plan(['a', Number.NaN], ['all', 100])],
    ['has a negative dwell', table({ dwellMinutes: -1 })],
    ['has a negative dwell for a stage', table({ dwellMinutes: { test_1: -1 } })],
    ['is not known', table({ plan: 'gradually' })],
    ['is known in another case', table({ plan: 'Gradual' })],
    ['is known in full-width letters', table({ plan: 'ｇradual' })],
    ['has a dwell for a stage it has not', table({ dwellMinutes: { tset_1: 5 } })],
  ])('one that %s', (_why, input) => {
    expect(refusal(input)).toMatchObject({ code: 'invalid_plan' });
  });

  it('suggests the stage that was meant', () => {
    expect(refusal(table({ dwellMinutes: { tset_1: 5 } }))!.problems).toEqual([
      "customer.dwellMinutes.tset_1 is no stage of plan 'gradual'. Did you mean 'test_1'?",
    ]);
  });
});

describe('a shadow in another database', () => {
  const remote = (over: object) => table({ shadow: { connection: 'new', table: 'public.customer' }, ...over });

  it('is declared by the name of its connection, and may have the name of the primary', () => {
    expect(defineCutovers([remote({})])[0]).toMatchObject({
      table: { primary: 'public.customer', shadow: 'public.customer', connection: 'new' },
    });
  });

  it.each([
    ['a name of a connection that is none', { shadow: { connection: 'New!', table: 'public.a' } }, 'lower_snake_case'],
    ['no table', { shadow: { connection: 'new' } }, 'shadow.table'],
    ['inline mode', { mode: 'inline' }, "shadow is in another database, 'new'"],
    ['indexes after the copy', { indexesAfterCopy: true }, "shadow is in another database, 'new'"],
    [
      'a criterion in SQL',
      { criteria: [{ name: 'sums', empty: 'SELECT 1 FROM {shadow}' }] },
      'one SQL query over both tables',
    ],
  ])('is refused with %s', (_, over, said) => {
    expect(refusal(remote(over))!.message).toContain(said);
  });

  it("is another table than one of the same name in the primary's database", () => {
    expect(() =>
      defineCutovers([remote({}), table({ id: 'other', primary: 'public.a', shadow: 'public.b' })]),
    ).not.toThrow();
    expect(refusal(remote({}), remote({ id: 'other', primary: 'public.a' }))!.message).toContain(
      "belongs to 'customer' and to 'other'",
    );
  });

  it('needs an address for its connection', () => {
    expect(unknownConnections(defineCutovers([remote({})]), ['old'])).toEqual([{ id: 'customer', connection: 'new' }]);
    expect(unknownConnections(defineCutovers([remote({})]), ['new'])).toEqual([]);
  });
});

describe('row 71: declarations that contradict each other', () => {
  it.each([
    [
      'shadow and primary are one table',
      [table({ shadow: TABLE.primary })],
      'primary and shadow are both public.customer',
    ],
    [
      'two cutovers take one table',
      [TABLE, table({ id: 'other', shadow: 'public.third' })],
      "public.customer belongs to 'customer' and to 'other'",
    ],
    [
      'the shadow of one is the primary of another',
      [TABLE, { id: 'next', kind: 'table', primary: TABLE.shadow, shadow: 'public.v3' }],
      "public.customer_v2 belongs to 'customer' and to 'next'",
    ],
    ['one id is declared twice', [TABLE, { id: 'customer', kind: 'component' }], "'customer' is declared twice"],
    ['one is called like the flag of the system', [table({ id: 'system' })], "may be called 'system'"],
    [
      'advancing is allowed above the limit of rolling back',
      [table({ policy: { errorRateAdvance: 0.05 } })],
      'errorRateAdvance 0.05 is above',
    ],
    [
      'the same for latency',
      [table({ policy: { latencyIncreaseAdvance: 0.5 } })],
      'latencyIncreaseAdvance 0.5 is above',
    ],
    [
      'the same for validation',
      [table({ policy: { validationScoreAdvance: 0.5 } })],
      'validationScoreAdvance 0.5 is below',
    ],
  ])('%s', (_why, input, problem) => {
    const refused = refusal(...input);
    expect(refused!.code).toBe('invalid_plan');
    expect(refused!.problems).toEqual([expect.stringContaining(problem)]);
  });
});

describe('row 19: limits that are none', () => {
  it.each([
    { errorRateRollback: 0 },
    { errorRateRollback: 1 },
    { errorRateAdvance: 0 },
    { latencyIncreaseRollback: 0 },
    { validationScoreRollback: 0 },
    { minSamples: 0 },
    { minSamples: 1.5 },
    { consecutiveFailures: 0 },
    { lagAdvanceMs: 0 },
    { keylessAdvance: 1 },
    { holdBackPercent: -1 },
    { holdBackPercent: 50.1 },
    { holdBackPercent: 0.00001 },
    { errorRateRollback: Number.NaN },
    { errorRateRollback: '0.01' },
  ])('%j', (policy) => {
    expect(refusal(table({ policy }))).toMatchObject({ code: 'invalid_config' });
  });
});

describe('what is held back', () => {
  it.each([
    [{}, 10_000],
    [{ holdBackPercent: 0 }, undefined],
    [{ holdBackPercent: 0.0003 }, 3],
    [{ holdBackPercent: 50 }, 500_000],
  ])('of %j is part of the plan: %s ppm', (policy, ppm) => {
    const [declared] = defineCutovers([{ ...TABLE, policy } as never]);
    expect(declared!.plan.holdBackPpm).toBe(ppm);
  });

  it('belongs to the whole plan: no stage declares its own', () => {
    expect(refusal(table({ stages: { test_1: { holdBackPercent: 5 } } }))!.problems).toEqual([
      expect.stringContaining('customer.stages.test_1.holdBackPercent is not known here'),
    ]);
  });

  it('is the same for members of a cohort, which move the same keys', () => {
    const member = (id: string, holdBackPercent: number) => ({
      id,
      kind: 'component',
      cohort: 'one',
      policy: { holdBackPercent },
    });
    expect(refusal(member('a', 1), member('b', 2))!.problems.join()).toContain('have plans with different stages');
    expect(refusal(member('a', 2), member('b', 2))).toBeNull();
  });
});

describe('what is unknown', () => {
  it('is named with its path and the nearest name', () => {
    expect(refusal(table({ primry: 'public.x', policy: { minSample: 1 } }))!.problems).toEqual([
      "customer.policy.minSample is not known here. Did you mean 'minSamples'?",
      "customer.primry is not known here. Did you mean 'primary'?",
    ]);
  });

  it('also where the kind makes it so: a component has no table', () => {
    expect(refusal({ ...TABLE, kind: 'component' })!.problems.join()).toMatch(
      /customer\.primary is not known here.*customer\.shadow/,
    );
  });

  it('kind, list or type is refused in words', () => {
    expect(refusal(table({ kind: 'tabel' }))!.problems[0]).toBe(
      "customer.kind: 'tabel' is none of table, component, service. Did you mean 'table'?",
    );
    expect(refusal(null)!.problems[0]).toMatch(/^cutovers\[0\]: /);
    expect(refusal('customer')!.code).toBe('invalid_config');
    expect(() => defineCutovers({} as never)).toThrow(/must be a list/);
    expect(refusal(JSON.parse('{"__proto__": {"kind": "component"}, "id": "x"}'))).not.toBeNull();
  });

  it('SQL may be long, but not without end or empty', () => {
    expect(refusal(table({ columns: { a: { sql: 'x'.repeat(2_000) } } }))).toBeNull();
    expect(refusal(table({ columns: { a: { sql: 'x'.repeat(2_001) } } }))).not.toBeNull();
    expect(refusal(table({ columns: { a: { sql: '  ' } } }))).not.toBeNull();
    expect(refusal(table({ columns: { a: { added: false } } }))).not.toBeNull();
  });
});

describe('what is refused has a line of its own, by the name of its cutover', () => {
  it.each([
    [
      'a plan',
      { plan: 'gradul' },
      "customer.plan: 'gradul' is none of gradual, canary, majority, gateway, fine. Did you mean 'gradual'?",
    ],
    ['a limit', { policy: { errorRateAdvance: 7 } }, 'customer.policy.errorRateAdvance: 7 is not below 1'],
    ['a type', { policy: { minSamples: '3' } }, "customer.policy.minSamples: '3' is not a number"],
    ['what is missing', { shadow: undefined }, 'customer.shadow is missing'],
    ['a plan of its own', { plan: { name: 5, ramp: [['all', 100]] } }, 'customer.plan.name: 5 is not text'],
  ])('%s', (_, over, line) => {
    expect(refusal(table(over))!.problems).toEqual([line]);
    expect(refusal(table(over))!.message).toBe(`The configuration of the cutovers cannot be used: ${line}`);
  });

  it('and a kind that there is not hides nothing else', () => {
    const lines = [
      "customer.kind: 'tabel' is none of table, component, service. Did you mean 'table'?",
      "customer.primry is not known here. Did you mean 'primary'?",
    ];
    const { problems, message } = refusal(table({ kind: 'tabel', primry: 'public.x' }))!;
    expect(problems).toEqual(lines);
    expect(message).toBe(`The configuration of the cutovers cannot be used:\n${lines.join('\n')}`);
    expect(refusal(table({ kind: 'queue', primry: 1 }))!.problems).toHaveLength(1);
    expect(refusal({ kind: 'tabel' })!.problems[0]).toMatch(/^cutovers\[0\]\.kind: 'tabel' is none of/);
  });

  it('and tables that many cutovers have are told once', () => {
    const many = ['a', 'b', 'c'].map((id) => table({ id }));
    expect(refusal(...many)!.problems).toEqual([
      "tables public.customer and public.customer_v2 belong to 'a' and to 'b' and to 'c'",
    ]);
  });
});

describe('problems of several declarations', () => {
  it('are all reported at once, of whatever kind, with the general code', () => {
    const refused = refusal(
      table({ primary: 'users--', shado: 1 }),
      table({ id: 'second', primary: 'public.a', shadow: 'public.a' }),
      {
        id: 'third',
        kind: 'component',
        plan: {
          name: 'p',
          ramp: [
            ['a', 50],
            ['b', 20],
          ],
        },
        dwellMinutes: 1,
      },
      { ...SERVICE, upstreams: { primary: 'file:///etc/passwd', shadow: 'https://new.test' } },
    );
    expect(refused!.code).toBe('invalid_config');
    const said = refused!.problems.join('\n');
    expect(said).toMatch(/customer\.primary: .*'schema\.name'/);
    expect(said).toContain("customer.shado is not known here. Did you mean 'shadow'?");
    expect(said).toContain('second: primary and shadow are both public.a');
    expect(said).toContain("third.plan: stage 'b' does not raise the share of 'a'");
    expect(said).toMatch(/chat\.upstreams\.primary .file:/);
    for (const problem of refused!.problems) expect(refused!.message).toContain(problem);
  });

  it('of two plans are both reported', () => {
    const broken = {
      name: 'p',
      ramp: [
        ['a', 50],
        ['all', 10],
      ],
    };
    const refused = refusal(table({ plan: broken }), { id: 'other', kind: 'component', plan: broken });
    expect(refused!.code).toBe('invalid_plan');
    expect(refused!.problems.filter((problem) => problem.includes('last share'))).toHaveLength(2);
  });
});

describe('where the sides of a component take writes', () => {
  const planner = (writes: object) => ({ id: 'planner', kind: 'component', writes });
  const FINE = { primary: 'https://app.test/crossfade/old', shadow: 'http://10.0.0.7:8080/new' };

  it('may be declared, private hosts by name', () => {
    const writes = { ...FINE, privateHosts: ['10.0.0.7'] };
    expect(defineCutovers([planner(writes) as CutoverInput])).toMatchObject([{ kind: 'component', writes }]);
    expect(defineCutovers([{ id: 'planner', kind: 'component' }])[0]).not.toHaveProperty('writes');
  });

  it.each([
    ['only one side', { primary: FINE.primary }, 'invalid_config', 'planner.writes.shadow is missing'],
    ['an unknown key', { ...FINE, privateHost: [] }, 'invalid_config', "Did you mean 'privateHosts'"],
    ['http to who knows whom', FINE, 'upstream_refused', 'planner.writes.shadow'],
    ['a query', { ...FINE, primary: 'https://app.test/?a=1' }, 'upstream_refused', 'planner.writes.primary'],
    ['a path with two meanings', { ...FINE, primary: 'https://app.test/a%2fb' }, 'upstream_refused', 'two ways'],
    ['metadata', { ...FINE, primary: 'http://169.254.169.254/latest' }, 'upstream_refused', 'planner.writes.primary'],
  ])('%s is refused by its path', (_, writes, code, text) => {
    const refused = refusal(planner(writes));
    expect(refused).toMatchObject({ code });
    expect(refused!.message).toContain(text);
  });
});

describe('row 65: much text in a field with a pattern', () => {
  it('is refused without taking noticeable time', () => {
    const long = 'a'.repeat(50_000);
    for (const over of [
      { id: long },
      { primary: long },
      { primary: `a.${long}` },
      { columns: { [long]: { from: 'x' } } },
      { [long]: 1 },
    ]) {
      expect(cpuMs(() => expect(refusal(table(over))).not.toBeNull())).toBeLessThan(50);
    }
  });
});
