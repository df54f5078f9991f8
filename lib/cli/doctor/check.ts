/** One finding of `crossfade doctor`, and how findings are shown. Pure. */

import { field, MAX_WIDTH, type Paint, plain, printable } from '../text.ts';

export type Check = {
  name: string;
  level: 'ok' | 'warn' | 'fail';
  /** What was seen. */
  seen: string;
  /** What to do about it; for warnings and failures. */
  remedy?: string;
};

export const ok = (name: string, seen: string): Check => ({ name, level: 'ok', seen });
export const warn = (name: string, seen: string, remedy: string): Check => ({ name, level: 'warn', seen, remedy });
export const fail = (name: string, seen: string, remedy: string): Check => ({ name, level: 'fail', seen, remedy });

const PAINT = { ok: 'good', warn: 'warn', fail: 'bad' } as const;

export const anyFailed = (checks: readonly Check[]): boolean => checks.some(({ level }) => level === 'fail');

export function renderChecks(checks: readonly Check[], width = MAX_WIDTH, paint: Paint = plain): string {
  const lines = checks.flatMap((check) => [
    ...field(printable(check.name), printable(check.seen), width - 4, 22).map((line, index) =>
      index === 0 ? `${paint(PAINT[check.level], check.level.padEnd(4))}${line}` : `    ${line}`,
    ),
    ...(check.remedy ? field('', printable(`→ ${check.remedy}`), width - 4, 22).map((line) => `    ${line}`) : []),
  ]);
  const failed = checks.filter((check) => check.level === 'fail').length;
  const warned = checks.filter((check) => check.level === 'warn').length;
  return [...lines, '', `${checks.length} checks: ${failed} failed, ${warned} to look at.`].join('\n');
}
