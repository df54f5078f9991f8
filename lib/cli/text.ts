/**
 * Text for a terminal of at most 100 columns. Names, reasons and keys come from other people, so everything that could
 * move the cursor, change colours or reorder letters is shown escaped. Pure.
 */

import stringWidth from 'string-width';
import { count as countOf, percent as percentOf } from '../core/conditions/figures.ts';

/** Widest line that is written; narrower terminals get narrower ones. */
export const MAX_WIDTH = 100;

/** Control characters, direction marks, line separators and halves of surrogate pairs. */
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\u001b': '\\e' };

const escaped = (c: string) => SHORT[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** @example printable('a\u001b[31mb\n') // 'a\\e[31mb\\n' */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** What this program itself says to a terminal: line ends, tabs, its colours, and to draw over what it has drawn. */
const OWN = /\r?\n|\t|\u001b\[(?:[12]|22|3[1239])m|\u001b\[\d+A\r\u001b\[J/;
const OWN_OR_UNPRINTABLE = new RegExp(`(${OWN.source})|${UNPRINTABLE.source}`, 'g');

/** What goes to a terminal, whatever a command has left as it came: others can bring the colours that are used here, and no more. */
export function terminalText(text: string): string {
  return text.replace(OWN_OR_UNPRINTABLE, (found, own: string | undefined) => own ?? escaped(found));
}

/** One JSON document on one line, in which no character can act on a terminal either. */
export function printableJson(document: unknown): string {
  return JSON.stringify(document).replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Columns a text takes; colour codes take none. */
export const widthOf = (text: string): number => stringWidth(text);

/** What is one letter to a reader: an accent or the parts of an emoji are never cut off. */
const LETTERS = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Cuts to `width` columns, with an ellipsis where something was left out. The text has no colour codes. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of LETTERS.segment(text)) {
    used += widthOf(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** Words in lines of at most `width` columns; a word that is longer is broken. Every letter stays as it is written. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((part) => pieces(part, width))) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function pieces(word: string, width: number): string[] {
  if (widthOf(word) <= width) return [word];
  const parts: string[] = [''];
  let used = 0;
  for (const { segment } of LETTERS.segment(word)) {
    const columns = widthOf(segment);
    if (used + columns > width) {
      parts.push('');
      used = 0;
    }
    parts[parts.length - 1] += segment;
    used += columns;
  }
  return parts;
}

/** A label and its text beside it, continued below itself. A label that leaves no space beside it has its text below. */
export function field(label: string, text: string, width: number, labelWidth = 14): string[] {
  const lines = wrap(text, Math.max(20, width - 2 - labelWidth));
  const beside = widthOf(label) < labelWidth;
  const rows = lines.map((line, index) => `${pad(beside && index === 0 ? label : '', labelWidth)}${line}`);
  return [...(beside ? [] : [label]), ...rows].map((row) => `  ${row}`.trimEnd());
}

/** `████░░░░`, for a fraction of 0–1. */
export function bar(fraction: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, Number.isFinite(fraction) ? fraction : 0)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

/** To the nearest tenth. */
export const count = (value: number): string => countOf(Math.round(value * 10) / 10, ',');

/** @example counted(1, 'key') // '1 key' */
export const counted = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** A rate of 0–1 in per cent, three digits: `0.0123 %`. */
export const percent = (rate: number | null): string => (rate === null ? '–' : percentOf(rate));

/** A score of 0–1 in per cent, rounded down: only a perfect one reads 100 %. */
export const scoreText = (score: number): string => `${Math.floor(score * 1e6) / 1e4} %`;

/** `2025-11-21 08:12:03` in UTC. */
export function moment(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? '–' : date.toISOString().slice(0, 19).replace('T', ' ');
}

export type Paint = (kind: 'bold' | 'dim' | 'good' | 'bad' | 'warn', text: string) => string;

export const plain: Paint = (_kind, text) => text;

const CODES = { bold: [1, 22], dim: [2, 22], good: [32, 39], bad: [31, 39], warn: [33, 39] } as const;

export const colours: Paint = (kind, text) => `\u001b[${CODES[kind][0]}m${text}\u001b[${CODES[kind][1]}m`;
