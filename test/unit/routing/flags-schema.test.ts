import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readStoredFlags, storedFlags } from '../../../lib/adapters/appconfig/document.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { FlagDocument } from '../../../lib/core/routing/flags.ts';
import { checkFlags, checkFlagText } from '../../../lib/routing/flag-check.ts';
import { parseFlags, parseFlagText } from '../../../lib/schemas/flags.ts';
import { someFlags } from '../../helpers/contracts/flags.ts';

const served = ({ system, cutovers }: FlagDocument = someFlags()): Record<string, unknown> => ({ system, ...cutovers });
const customer = (change: object) => ({ ...served(), customer: { ...someFlags().cutovers.customer, ...change } });

/** What makes a flag of ours unreadable, attribute by attribute. */
const WRONG: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['a negative share', { read_ppm: -1 }],
  ['a share above one million', { read_ppm: 1_000_001 }],
  ['a share between two parts per million', { read_ppm: 0.5 }],
  ['a share as text', { read_ppm: '5' }],
  ['no share', { read_ppm: undefined }],
  ['slices that are no list', { slices: 10_000 }],
  ['a slice that ends at nothing', { slices: [0, 10_000] }],
  ['a slice that ends at the whole', { slices: [1_000_000] }],
  ['slices that do not rise', { slices: [10_000, 10_000] }],
  ['a slice between two parts per million', { slices: [0.5] }],
  ['more than eight slices', { slices: [1, 2, 3, 4, 5, 6, 7, 8] }],
  ['a part held back that is more than all', { hold_back_ppm: 1_000_001 }],
  ['an epoch as text', { epoch: '1' }],
  ['a null epoch', { epoch: null }],
  ['a negative version', { version: -1 }],
  ['a version beyond exact numbers', { version: 2 ** 53 }],
  ['another hash', { hash: 'sha256' }],
  ['an unknown validation', { validation: 'lenient' }],
  ['a list with a number in it', { allow: ['a', 1] }],
  ['a text in place of a list', { deny: 'a' }],
  ['a switch as text', { shadow_is_primary: 'false' }],
  ['no salt', { salt: null }],
  ['enabled as text', { enabled: 'yes' }],
];

/** The strict reader of what is stored, and the one of applications, which judges each flag by itself. */
const READERS = [
  ['schema', parseFlags, parseFlagText],
  ['check by hand', checkFlags, checkFlagText],
] as const;

describe.each(READERS)('served flags, read by the %s', (_name, read, readText) => {
  it('are taken when they are right, whatever else is beside them', () => {
    expect(read(served())).toMatchObject(someFlags());
    expect(readText(JSON.stringify(served()))).toMatchObject(someFlags());
    const foreign = { checkout: { enabled: true, limit: 5 }, 'Foreign-1': { enabled: true, epoch: 'x' } };
    expect(read({ ...served(), ...foreign })).toMatchObject(someFlags());
    expect(Object.keys(read({ ...served(), ...foreign }).cutovers)).toEqual(['customer']);
    expect(read(customer({ extra: 1, _updatedAt: 'now' }))).toMatchObject(someFlags());
  });

  it('a flag of the version before, which tells no slices, is taken', () => {
    const { slices: _, ...before } = someFlags().cutovers.customer!;
    expect(read({ ...served(), customer: before }).cutovers).toEqual({ customer: before });
  });

  it('a flag without epoch, or switched off by hand, is passed over', () => {
    for (const document of [
      { ...served(), customer: { enabled: false } },
      customer({ epoch: undefined }),
      customer({ enabled: false }),
    ])
      expect(read(document)).toMatchObject({ system: someFlags().system, cutovers: {} });
  });

  it.each([
    ['null', null],
    ['a list', []],
    ['a text', 'flags'],
    ['nothing', {}],
    ["somebody else's flags", { checkout: { enabled: true } }],
  ])('%s is refused', (_what, value) => {
    expect(() => read(value)).toThrow(expect.objectContaining({ code: 'flags_invalid' }));
  });

  it.each(['', '<html></html>', '{"system":{"ena', 'null', '"x"'])('the text %j is refused', (text) => {
    expect(() => readText(text)).toThrow(expect.objectContaining({ code: 'flags_invalid' }));
  });
});

describe('the schema of what is stored', () => {
  it.each(WRONG)('%s refuses the document', (_what, change) => {
    const attribute = Object.keys(change)[0]!;
    expect(() => parseFlags(customer(change))).toThrow(expect.objectContaining({ code: 'flags_invalid' }));
    expect(() => parseFlags(customer(change))).toThrow(new RegExp(`customer\\.${attribute}`));
  });

  it.each([
    ['no system flag', { customer: someFlags().cutovers.customer }],
    ['a system flag that was switched off', { ...served(), system: { enabled: false } }],
    ['a flag that is no object', { ...served(), customer: 5 }],
  ])('%s is refused', (_what, value) => {
    expect(() => parseFlags(value)).toThrow(expect.objectContaining({ code: 'flags_invalid' }));
  });

  it('every problem is named at once', () => {
    const wrong = { ...customer({ read_ppm: -1, salt: 5 }), system: { ...someFlags().system, readonly: 'no' } };
    expect(() => parseFlags(wrong)).toThrow(/system\.readonly.*customer\.read_ppm.*customer\.salt/s);
  });
});

describe('an application', () => {
  const invoice = someFlags({ version: 9 }).cutovers.customer!;

  it.each(WRONG)('%s: that flag alone is refused, and named', (_what, change) => {
    const seen = checkFlags({ ...customer(change), invoice });
    const attribute = Object.keys(change)[0]!;
    expect(seen).toMatchObject({ system: someFlags().system, cutovers: { invoice }, refused: ['customer'] });
    expect(Object.keys(seen.cutovers)).toEqual(['invoice']);
    expect(seen.problems).toEqual([expect.stringMatching(`^customer\\.${attribute} is `)]);
  });

  it('takes of the system flag what it can read', () => {
    const stopped = { ...someFlags({ stop: true }).system, migration_phase: 5 };
    const seen = checkFlags({ ...served(), system: stopped });
    expect(seen.system).toMatchObject({ emergency_stop: true, version: 1 });
    expect(seen.system).not.toHaveProperty('migration_phase');
    expect(seen.problems).toEqual(['system.migration_phase is 5']);
  });

  it.each([
    ['missing', { customer: someFlags().cutovers.customer }],
    ['switched off', { ...served(), system: { enabled: false } }],
  ])('takes a system flag that is %s for a stop', (what, document) => {
    expect(checkFlags(document).system).toEqual({ enabled: false });
    expect(checkFlags(document).problems).toEqual([expect.stringContaining(`system is ${what}`)]);
  });

  it('needs no lists: AppConfig takes no empty ones', () => {
    const { allow: _, deny: __, ...without } = someFlags().cutovers.customer!;
    expect(checkFlags({ ...served(), customer: without }).cutovers.customer).toMatchObject({ allow: [], deny: [] });
  });
});

describe('both readers', () => {
  /** The strict one of a document that the other one takes without a problem. */
  const strictly = (document: unknown): unknown => {
    const { off, refused, problems, ...flags } = checkFlags(document);
    return problems?.length ? 'flags_invalid' : flags;
  };

  it('find fault with the same documents, and make the same of the others', () => {
    const attribute = fc.constantFrom(
      ...Object.keys(someFlags().cutovers.customer!),
      ...Object.keys(someFlags().system),
      'other',
    );
    const name = fc.constantFrom('customer', 'system', 'invoice', 'Upper', '__proto__', 'other-flag');
    const value = fc.oneof(
      fc.constantFrom(
        undefined,
        null,
        true,
        false,
        'strict',
        'murmur3_x86_32',
        0,
        1,
        -1,
        0.5,
        1_000_000,
        1_000_001,
        2 ** 53,
      ),
      fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 3 }),
    );
    const mutation = fc.record({ name, attribute, value, whole: fc.boolean() });
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 3 }), (mutations) => {
        const document = JSON.parse(JSON.stringify(served())) as Record<string, unknown>;
        for (const { name, attribute, value, whole } of mutations) {
          const flag = { ...(document[name] as object | undefined), [attribute]: value };
          Object.defineProperty(document, name, {
            value: whole ? value : flag,
            enumerable: true,
            configurable: true,
            writable: true,
          });
        }
        expect(outcome(strictly, document)).toEqual(outcome(parseFlags, document));
      }),
      { numRuns: 2_000 },
    );
  });

  it('the comparison can fail: a reader that lets any share through is told apart', () => {
    const careless = (document: unknown) => {
      const flags = document as Record<string, { read_ppm?: number }>;
      return parseFlags({ ...flags, customer: { ...flags.customer, read_ppm: 0 } });
    };
    expect(outcome(careless, customer({ read_ppm: -1 }))).not.toEqual(outcome(strictly, customer({ read_ppm: -1 })));
  });
});

function outcome(read: (document: unknown) => unknown, document: unknown): unknown {
  try {
    return read(document);
  } catch (error) {
    return error instanceof CrossfadeError ? error.code : error;
  }
}

describe('stored flags', () => {
  const flags = someFlags();
  const changed = (change: object): FlagDocument => ({
    ...flags,
    cutovers: { customer: { ...flags.cutovers.customer!, ...change } },
  });

  it('come back as they went, and are the same text whatever the order of their keys', () => {
    expect(readStoredFlags(storedFlags(flags))).toEqual(flags);
    const reversed = { ...Object.fromEntries(Object.entries(flags.system).reverse()) } as FlagDocument['system'];
    expect(storedFlags({ cutovers: flags.cutovers, system: reversed })).toBe(storedFlags(flags));
  });

  it('define every attribute they have', () => {
    const stored = JSON.parse(storedFlags(flags));
    for (const name of ['system', 'customer']) {
      const { enabled: _enabled, ...attributes } = stored.values[name];
      expect(Object.keys(stored.flags[name].attributes)).toEqual(Object.keys(attributes));
    }
    expect(stored.flags.customer.attributes.read_ppm.constraints).toEqual({
      type: 'number',
      minimum: 0,
      maximum: 1_000_000,
    });
    expect(stored.flags.system.attributes.migration_phase.constraints).toEqual({ type: 'string' });
  });

  it.each([
    ['26 entries in a list', changed({ deny: Array.from({ length: 26 }, () => 'k') }), /customer\.deny has 26 entries/],
    ['an entry of 1025 characters', changed({ allow: ['k'.repeat(1025)] }), /customer\.allow has 1025 characters/],
    ['a salt of 1025 characters', changed({ salt: 's'.repeat(1025) }), /customer\.salt has 1025 characters/],
  ])('%s is flags_too_large', (_what, document, message) => {
    expect(() => storedFlags(document)).toThrow(expect.objectContaining({ code: 'flags_too_large' }));
    expect(() => storedFlags(document)).toThrow(message);
  });

  it('1,200 cutovers fit, 1,050 of them when all are under way, and more than 1 MB is flags_too_large, with what would make it fit', () => {
    const { slices, ...idle } = flags.cutovers.customer!;
    const many = (count: number, told: object = {}) => ({
      ...flags,
      cutovers: Object.fromEntries(
        Array.from({ length: count }, (_, n) => [
          `table_${n}`,
          { ...idle, ...told, salt: `table_${n}`, allow: [], deny: [] },
        ]),
      ),
    });
    expect(storedFlags(many(1_050, { slices })).length).toBeLessThan(1_048_576);
    expect(storedFlags(many(1_200)).length).toBeLessThan(1_048_576);
    const refused = /document of 1500 cutovers has \d+ bytes, some \d+ each.*Declare (\d+) cutovers less/;
    expect(() => storedFlags(many(1_500))).toThrow(expect.objectContaining({ code: 'flags_too_large' }));
    try {
      storedFlags(many(1_500));
    } catch (error) {
      const less = Number(refused.exec(String(error))?.[1]);
      expect(storedFlags(many(1_500 - less - 10)).length).toBeLessThan(1_048_576);
    }
    expect.assertions(4);
  });

  it('25 entries of 1024 characters are fine', () => {
    const list = Array.from({ length: 25 }, () => 'k'.repeat(1024));
    expect(readStoredFlags(storedFlags(changed({ allow: list }))).cutovers.customer?.allow).toEqual(list);
  });

  it('a name that AppConfig cannot take is refused before it is asked', () => {
    const named = { ...flags, cutovers: { 'Customer!': flags.cutovers.customer! } };
    expect(() => storedFlags(named)).toThrow(expect.objectContaining({ code: 'invalid_identifier' }));
  });

  it('a flag of a whole plan is far below the size that is aimed at', () => {
    expect(storedFlags(flags).length).toBeLessThan(10_000);
  });
});
