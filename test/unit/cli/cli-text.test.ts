import { describe, expect, it } from 'vitest';
import {
  bar,
  colours,
  cut,
  field,
  printable,
  printableJson,
  scoreText,
  terminalText,
  widthOf,
  wrap,
} from '../../../lib/cli/text.ts';
import { duration, share } from '../../../lib/core/conditions/figures.ts';

describe('text for a terminal', () => {
  it('shows control characters, direction marks and half surrogates escaped', () => {
    expect(printable('a\u001b[31mred\r\n\t')).toBe('a\\e[31mred\\r\\n\\t');
    expect(printable('\u0000\u007f\u009b2J')).toBe('\\u0000\\u007f\\u009b2J');
    expect(printable('abc\u202egnp\u2066')).toBe('abc\\u202egnp\\u2066');
    expect(printable('\ud800x\udc00')).toBe('\\ud800x\\udc00');
    expect(printable('Ünïcode 漢字 🙂')).toBe('Ünïcode 漢字 🙂');
  });

  it('escapes the same characters inside a JSON document, which still says the same', () => {
    const document = { reason: 'a\u009b2J\u202e\u001b]0;x\u0007', lone: '\ud800' };
    const text = printableJson(document);
    expect(text).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(text)).toEqual(document);
  });

  it('leaves to a terminal what this program does to it, and nothing else', () => {
    const drawn = `\u001b[12A\r\u001b[J${colours('bold', 'a')}${colours('bad', 'b')}${colours('dim', 'c')}\td\n`;
    expect(terminalText(drawn)).toBe(drawn);
    for (const acting of ['\u001b[2J', '\u001b[1;31m', '\u001b[A', '\u001b]0;x\u0007', '\u009b2J', 'a\rb', '\u202e'])
      expect(terminalText(`${acting}x`)).toBe(printable(`${acting}x`));
  });

  it('counts wide letters as two columns, accents and colour codes as none', () => {
    expect(widthOf('漢字')).toBe(4);
    expect(widthOf('e\u0301')).toBe(1);
    expect(widthOf(colours('bad', 'three'))).toBe(5);
  });

  it('counts an emoji of several parts as one letter, and cuts it as one', () => {
    const family = '\u{1f469}\u200d\u{1f469}\u200d\u{1f467}';
    expect([widthOf(family), widthOf('\u{1f1e9}\u{1f1ea}')]).toEqual([2, 2]);
    expect(cut(`a${family}${family}`, 4)).toBe(`a${family}…`);
    expect(wrap(family.repeat(3), 4)).toEqual([family.repeat(2), family]);
  });

  it('leaves the letters of a name as they are written', () => {
    expect(wrap('caf\u0065\u0301 caf\u00e9', 4)).toEqual(['caf\u0065\u0301', 'caf\u00e9']);
  });

  it('cuts and wraps at the width, also within a word that is too long', () => {
    expect(cut('abcdef', 4)).toBe('abc…');
    expect(cut('漢字漢字', 5)).toBe('漢字…');
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('x'.repeat(25), 10)).toEqual(['x'.repeat(10), 'x'.repeat(10), 'x'.repeat(5)]);
    for (const line of field('label', 'word '.repeat(60), 100)) expect(widthOf(line)).toBeLessThanOrEqual(100);
  });

  it('never rounds an imperfect score up to 100 %', () => {
    expect(scoreText(1)).toBe('100 %');
    expect(scoreText(0.999_999_9)).toBe('99.9999 %');
  });

  it('says durations, shares and bars in a form people read', () => {
    expect([0.4, 340, 1_240, 431_000, 9_000_000].map(duration)).toEqual([
      '0.4 ms',
      '340 ms',
      '1.2 s',
      '7 min',
      '2.5 h',
    ]);
    expect([1, 10_000, 333_333].map(share)).toEqual(['0.0001 %', '1 %', '33.3333 %']);
    expect([0, 0.5, 2, Number.NaN].map((fraction) => bar(fraction, 4))).toEqual(['░░░░', '██░░', '████', '░░░░']);
  });
});
