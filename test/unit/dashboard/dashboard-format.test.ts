import { describe, expect, it } from 'vitest';
import { count, duration, minutes, ms, percent, share } from '../../../lib/dashboard/browser/format.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('figures of the page', () => {
  it.each([
    [null, '–'],
    [0, '0 %'],
    [0.00123, '0.123 %'],
    [0.5, '50 %'],
    [0.9994999, '99.949 %'],
    [0.99999, '99.999 %'],
    [0.9999999, '99.999 %'],
    [1, '100 %'],
  ])('show the rate %s as %s: three digits, and never all for less than all', (rate, text) => {
    expect(percent(rate)).toBe(text);
  });

  it.each([
    [null, '–'],
    [0, '0 ms'],
    [8.314, '8.31 ms'],
    [999, '999 ms'],
    [1_000, '1.0 s'],
    [9_949, '9.9 s'],
    [10_000, '10 s'],
    [181_800, '182 s'],
  ])('show %s milliseconds as %s', (value, text) => {
    expect(ms(value)).toBe(text);
  });

  it.each([
    [-5, '0 s'],
    [99_000, '99 s'],
    [100_000, '2 min'],
    [99 * MINUTE, '99 min'],
    [100 * MINUTE, '1 h 40 min'],
    [47 * HOUR, '47 h 0 min'],
    [48 * HOUR, '2 d 0 h'],
    [50.5 * HOUR, '2 d 2 h'],
  ])('show a time of %s milliseconds as %s: two units at most', (milliseconds, text) => {
    expect(duration(milliseconds)).toBe(text);
  });

  it('show minutes with a decimal below ten, shares to the last part per million, and counts in groups of three', () => {
    expect([minutes(2.345), minutes(32), minutes(600)]).toEqual(['2.3 min', '32 min', '10 h 0 min']);
    expect([share(0), share(1), share(105_000), share(1_000_000)]).toEqual(['0 %', '0.0001 %', '10.5 %', '100 %']);
    expect([count(0), count(1011), count(2_240_000)]).toEqual(['0', '1\u202f011', '2\u202f240\u202f000']);
  });
});
