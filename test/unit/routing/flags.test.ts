/** Flags: what each stage publishes, the limits of AppConfig, the stop, and the canonical form. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../lib/core/base/canonical-json.ts';
import { makePlan, withHoldBack } from '../../../lib/core/cutover/plan.ts';
import {
  compareFlagAge,
  cutoverFlag,
  type FlagDocument,
  flagDocument,
  sameDocument,
  sharePpmOf,
  systemFlag,
} from '../../../lib/core/routing/flags.ts';
import { codeOf, declarationOf, PLAN, STAGES, type StageName, stateIn, systemOf } from '../../property/samples.ts';

const flagIn = (stage: StageName, system = systemOf()) => cutoverFlag(declarationOf(), stateIn(stage), system);

describe('the flag of a cutover', () => {
  it.each([
    ['disabled', 0, false, false],
    ['dual_write', 0, true, false],
    ['r1', 10_000, true, false],
    ['r2', 500_000, true, false],
    ['full_100', 1_000_000, true, false],
    ['completed', 1_000_000, true, true],
    ['cleaned', 1_000_000, false, true],
    ['rolled_back', 0, false, false],
  ] as const)('in %s says %i ppm, shadow writes %s, shadow is primary %s', (stage, ppm, writes, promoted) => {
    expect(flagIn(stage)).toEqual({
      enabled: true,
      stage,
      epoch: 3,
      version: 7,
      read_ppm: ppm,
      // What the gates judge is told by slice: r1, r2 and the rest.
      ...(writes && !promoted ? { slices: [10_000, 500_000] } : {}),
      salt: 'customer',
      hash: 'murmur3_x86_32',
      shadow_writes: writes,
      validation: 'strict',
      primary_read_only: false,
      shadow_is_primary: promoted,
      allow: [],
      deny: [],
    });
  });

  it('tells no slices where the plan has one only', () => {
    const state = { ...stateIn('dual_write'), plan: makePlan('at_once', [['full_100', 100]]) };
    expect(cutoverFlag(declarationOf(), state, systemOf())).not.toHaveProperty('slices');
  });

  it.each([
    ['dual_write', 0, true],
    ['r1', 10_000, true],
    ['r2', 500_000, true],
    ['full_100', 980_000, true],
    ['completed', 1_000_000, false],
    ['rolled_back', 0, false],
  ] as const)('in %s serves %i ppm with 2 %% held back', (stage, ppm, told) => {
    const state = { ...stateIn(stage), plan: withHoldBack(PLAN, 2) };
    const { slices, hold_back_ppm, read_ppm } = cutoverFlag(declarationOf(), state, systemOf());
    expect(read_ppm).toBe(ppm);
    expect([slices, hold_back_ppm]).toEqual(told ? [[10_000, 500_000, 980_000], 20_000] : [undefined, undefined]);
  });

  it('serves what is held back once a promotion is pending, but not when it was withdrawn', () => {
    const pending = { action: 'promote', epoch: 4, sinceMs: 1, actor: 'ada', reason: '' } as const;
    const withdrawn = { actor: 'ada', reason: 'x', cause: 'operator', atMs: 2 } as const;
    const state = { ...stateIn('full_100'), plan: withHoldBack(PLAN, 2) };
    expect(sharePpmOf({ ...state, pending })).toBe(1_000_000);
    expect(sharePpmOf({ ...state, pending: { ...pending, withdrawn } })).toBe(980_000);
    expect(sharePpmOf({ ...state, pending: { ...pending, action: 'cleanup' } })).toBe(980_000);
  });

  it.each(['dual_write', 'r1', 'r2', 'full_100'] as const)(
    'in %s sends no read to the shadow once everything is stopped',
    (stage) => {
      const flag = flagIn(stage, systemOf({ emergencyStop: true }));
      expect(flag).toMatchObject({ read_ppm: 0, shadow_is_primary: false, stage });
    },
  );

  it.each(['completed', 'cleaned'] as const)('in %s stays as it is when everything is stopped', (stage) => {
    expect(flagIn(stage, systemOf({ emergencyStop: true }))).toEqual(flagIn(stage));
  });

  it('has no shadow writes when they are switched off for all', () => {
    expect(flagIn('r1', systemOf({ shadowWritesEnabled: false })).shadow_writes).toBe(false);
  });

  it('never sends a read to a shadow that is not written, and switches change nothing but share and writes', () => {
    const stages = fc.constantFrom(...(Object.keys(STAGES) as StageName[]));
    fc.assert(
      fc.property(stages, fc.boolean(), fc.boolean(), (stage, shadowReads, shadowWrites) => {
        const switches = { shadowReads, shadowWrites, sinceMs: 1 };
        const flag = cutoverFlag(declarationOf(), stateIn(stage, { switches }), systemOf());
        if (flag.read_ppm > 0 && !flag.shadow_is_primary) expect(flag.shadow_writes).toBe(true);
        if (!shadowReads && !flag.shadow_is_primary) expect(flag.read_ppm).toBe(0);
        const { read_ppm, shadow_writes, ...rest } = flag;
        expect(flagIn(stage)).toMatchObject(rest);
        if (shadowReads && shadowWrites) expect(flag).toEqual(flagIn(stage));
      }),
    );
  });

  it('says that the primary is read-only while a stage follows it, and never after promotion', () => {
    for (const stage of Object.keys(STAGES) as StageName[]) {
      const flag = cutoverFlag(declarationOf(), stateIn(stage), systemOf(), true);
      expect(flag.primary_read_only).toBe(['dual_write', 'r1', 'r2', 'full_100'].includes(stage));
    }
  });

  it('takes lists of 25 entries of 1,024 characters, and no more', () => {
    const listed = (name: 'allow' | 'deny', entries: number, length: number) => () =>
      cutoverFlag(
        declarationOf('table', { [name]: Array(entries).fill('x'.repeat(length)) }),
        stateIn('r1'),
        systemOf(),
      );
    for (const name of ['allow', 'deny'] as const) {
      expect(listed(name, 25, 1_024)()[name]).toHaveLength(25);
      expect(codeOf(listed(name, 26, 1))).toBe('flags_too_large');
      expect(codeOf(listed(name, 1, 1_025))).toBe('flags_too_large');
    }
  });
});

describe('the document', () => {
  it('has the switches of the system and one flag for each cutover', () => {
    const system = systemOf({ version: 4, emergencyStop: true, readonly: true, migrationPhase: 'two' });
    const document = flagDocument([{ declaration: declarationOf(), state: stateIn('r1') }], system);
    expect(Object.keys(document.cutovers)).toEqual(['customer']);
    expect(document.system).toEqual({
      enabled: true,
      version: 4,
      emergency_stop: true,
      shadow_writes_enabled: true,
      sync_monitoring: true,
      divergence_alerts: true,
      readonly: true,
      migration_phase: 'two',
    });
    expect(document.system).toEqual(systemFlag(system));
  });

  it('is the same whatever the order of its keys, and another one when a value differs', () => {
    const document = flagDocument([{ declaration: declarationOf(), state: stateIn('r1') }], systemOf());
    const shuffled = JSON.parse(JSON.stringify(document), (_key, value) =>
      value !== null && typeof value === 'object' && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).reverse())
        : value,
    ) as FlagDocument;
    expect(sameDocument(document, shuffled)).toBe(true);
    const changed = { ...document, system: { ...document.system, readonly: true } };
    expect(sameDocument(document, changed)).toBe(false);
  });

  it('is older by epoch first, then by version', () => {
    expect(compareFlagAge({ epoch: 1, version: 9 }, { epoch: 2, version: 1 })).toBeLessThan(0);
    expect(compareFlagAge({ epoch: 2, version: 1 }, { epoch: 2, version: 3 })).toBeLessThan(0);
    expect(compareFlagAge({ epoch: 2, version: 3 }, { epoch: 2, version: 3 })).toBe(0);
  });
});

describe('canonical JSON', () => {
  const value = fc.jsonValue({ stringUnit: 'binary' });

  it('is JSON of the same value', () => {
    fc.assert(
      fc.property(value, (json) => {
        expect(JSON.parse(canonicalJson(json))).toEqual(JSON.parse(JSON.stringify(json)));
      }),
    );
  });

  it('does not change when it is parsed and written again, nor with the order of keys', () => {
    const reversed = (json: unknown): unknown => {
      if (Array.isArray(json)) return json.map(reversed);
      if (json === null || typeof json !== 'object') return json;
      const fields = Object.entries(json).reverse();
      return Object.fromEntries(fields.map(([name, field]) => [name, reversed(field)]));
    };
    fc.assert(
      fc.property(value, (json) => {
        const text = canonicalJson(json);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(canonicalJson(reversed(json))).toBe(text);
      }),
    );
  });

  it('is the same for two values exactly when they are equal', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const plain = (json: unknown) => JSON.parse(JSON.stringify(json)) as unknown;
        let equal = true;
        try {
          expect(plain(a)).toEqual(plain(b));
        } catch {
          equal = false;
        }
        expect(canonicalJson(a) === canonicalJson(b)).toBe(equal);
      }),
    );
  });

  it('leaves out what JSON leaves out', () => {
    expect(canonicalJson({ b: 1, a: undefined, c: [undefined, null] })).toBe('{"b":1,"c":[null,null]}');
  });

  it('sorts by code unit and not by the language of the machine', () => {
    expect(canonicalJson({ a: 1, B: 2, ä: 3, '10': 4, '9': 5 })).toBe('{"10":4,"9":5,"B":2,"a":1,"ä":3}');
  });
});
