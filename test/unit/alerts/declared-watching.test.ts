/** Alert rules and experiments in the configuration: what cannot be is refused with its path, all at once. */

import { describe, expect, it } from 'vitest';
import { type CutoverInput, defineCutovers } from '../../../lib/define/cutovers.ts';

const with_ = (fields: object) => [{ id: 'planner', kind: 'component', ...fields }] as unknown as CutoverInput[];
const rule = (fields: object) =>
  with_({ alerts: [{ id: 'mine', metric: 'p95_ms', operator: '>', value: 5, ...fields }] });
const experiment = (fields: object) =>
  with_({ plan: 'gradual', experiments: [{ id: 'x', share: 50, size: 100, ...fields }] });

describe('declared', () => {
  it('rules and experiments are kept, with what is left out', () => {
    const [declared] = defineCutovers([
      ...rule({}),
      ...experiment({}).map((one) => ({ ...one, id: 'other' })),
    ] as CutoverInput[]);
    expect(declared?.alerts).toEqual([{ id: 'mine', metric: 'p95_ms', operator: '>', value: 5 }]);
    expect(defineCutovers(experiment({}))[0]?.experiments).toEqual([
      { id: 'x', share: 50, size: 100, alpha: 0.05, conversion: 'conversions', value: 'values' },
    ]);
  });

  it.each<[string, object, RegExp]>([
    ['an unknown metric', { metric: 'p95' }, /alerts\.0\.metric/],
    ['an unknown operator', { operator: '=>' }, /alerts\.0\.operator/],
    ['a window of 0', { windowMinutes: 0 }, /alerts\.0\.windowMinutes/],
    ['half a window', { windowMinutes: 1.5 }, /alerts\.0\.windowMinutes/],
    ['NaN', { value: Number.NaN }, /alerts\.0\.value/],
    ['an infinite limit', { value: Number.POSITIVE_INFINITY }, /alerts\.0\.value/],
    ['a negative latency', { value: -1 }, /alerts\.0\.value: -1 is below 0/],
    ['no samples', { minSamples: 0 }, /alerts\.0\.minSamples/],
    ['an unknown severity', { severity: 'fatal' }, /alerts\.0\.severity/],
    ['an unknown action', { action: 'page' }, /alerts\.0\.action/],
    ['a misspelt key', { windowMinute: 5 }, /windowMinute is not known here.*windowMinutes/],
    ['a name with a dot', { id: 'a.b' }, /alerts\.0\.id/],
  ])('a rule with %s is refused', (_, fields, says) => {
    expect(() => defineCutovers(rule(fields))).toThrow(says);
  });

  it.each<[string, object, RegExp]>([
    ['a share that no stage serves', { share: 33 }, /no stage of plan 'gradual' serves 33 %.*1, 10, 50/],
    ['a size of 0', { size: 0 }, /experiments\.0\.size/],
    ['alpha 1', { alpha: 1 }, /experiments\.0\.alpha/],
    ['a share of NaN', { share: Number.NaN }, /experiments\.0\.share/],
    ['a misspelt key', { sizes: 5 }, /sizes is not known here/],
  ])('an experiment with %s is refused', (_, fields, says) => {
    expect(() => defineCutovers(experiment(fields))).toThrow(says);
  });

  it('the same name twice is refused', () => {
    const twice = with_({
      experiments: [
        { id: 'x', share: 50, size: 9 },
        { id: 'x', share: 50, size: 9 },
      ],
    });
    expect(() => defineCutovers(twice)).toThrow(/experiment 'x' is declared twice/);
  });
});
