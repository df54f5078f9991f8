/** What the data plane in memory says for people: the same sentences and limits as the views and functions in SQL. */

import { createHash } from 'node:crypto';
import { CrossfadeError } from '../../../../lib/core/base/errors.ts';
import type { TableStatus } from '../../../../lib/core/gates/table-status.ts';
import type {
  Consistency,
  HealthFinding,
  RowComparison,
  RowValues,
  TableProgress,
} from '../../../../lib/core/table/reading.ts';
import type { TableCutover } from '../../../../lib/ports/tables.ts';

export function findingsOf({ table }: TableCutover, refusal: string | undefined): HealthFinding[] {
  const passed = (check: string, value: string): HealthFinding => ({
    check,
    status: 'pass',
    value,
    limit: 'there',
    remedy: '',
  });
  return [
    passed('primary exists', table.primary),
    passed('shadow exists', table.shadow),
    ...(refusal
      ? [
          {
            check: 'ordinary tables',
            status: 'fail' as const,
            value: refusal,
            limit: 'r and r',
            remedy: 'Change the table.',
          },
        ]
      : []),
  ];
}

export function progressOf(cutover: string, status: TableStatus): TableProgress {
  const { backfill, verification } = status;
  const done = backfill.state === 'done';
  const copied = done ? 1 : backfill.rowsTotal > 0 ? Math.min(1, backfill.rowsDone / backfill.rowsTotal) : 0;
  return {
    cutover,
    stage: status.mirror?.stage ?? 'disabled',
    direction: status.armed,
    backfill: backfill.state,
    rowsDone: backfill.rowsDone,
    rowsTotal: backfill.rowsTotal,
    backfillPercent: 100 * copied,
    rowsPerSecond: backfill.rowsPerSecond,
    etaSeconds: null,
    lagSeconds: status.lagMs / 1_000,
    hints: status.outboxRows,
    quarantined: status.quarantined,
    rowsCompared: verification?.rowsCompared ?? null,
    divergences: verification?.divergences ?? null,
    score: verification?.score ?? null,
    verifiedAtMs: verification?.atMs ?? null,
  };
}

type Both = {
  authoritative: ReadonlyMap<number, string>;
  follower: ReadonlyMap<number, string>;
  direction: TableStatus['armed'];
  hints: readonly { key: number }[];
  quarantine: ReadonlyMap<number, unknown>;
  backfill: { state: string };
};

export function consistencyOf(it: Both): Consistency {
  const late = new Set(it.hints.map(({ key }) => key));
  const keys = [...new Set([...it.authoritative.keys(), ...it.follower.keys()])];
  const differ = keys.filter((key) => it.authoritative.get(key) !== it.follower.get(key));
  const poisoned = differ.filter((key) => it.quarantine.has(key));
  const diverged = differ.filter((key) => !late.has(key) && !it.quarantine.has(key));
  const [primary, shadow] =
    it.direction === 'reverse' ? [it.follower, it.authoritative] : [it.authoritative, it.follower];
  return {
    primaryRows: primary.size,
    shadowRows: shadow.size,
    consistent: keys.length - differ.length,
    diverged: diverged.length,
    late: differ.length - poisoned.length - diverged.length,
    quarantined: poisoned.length,
    errors: it.backfill.state === 'done' ? [] : ['the copy is not done'],
    score: diverged.length === 0 ? 1 : Math.max(0, 1 - diverged.length / Math.max(it.authoritative.size, 1)),
  };
}

const hashOf = (value: string | undefined) =>
  value === undefined ? null : createHash('sha256').update(`(${value})`).digest('hex');

function bothOf(it: Both, key: string): [number, string | undefined, string | undefined] {
  const number = Number(/^\{"id": ?(-?\d+)\}$/.exec(key)?.[1] ?? (/^-?\d+$/.test(key) ? key : Number.NaN));
  if (Number.isNaN(number)) throw new CrossfadeError('invalid_input', `That is no key: ${key}`);
  const [primary, shadow] =
    it.direction === 'reverse' ? [it.follower, it.authoritative] : [it.authoritative, it.follower];
  return [number, primary.get(number), shadow.get(number)];
}

export function valuesOf(it: Both, key: string, redact: readonly string[]): RowValues {
  const [number, a, b] = bothOf(it, key);
  const column = (name: string, values: readonly [string | undefined, string | undefined]) => {
    const redacted = redact.includes(name);
    const [primaryValue, shadowValue] = values.map((value) => (redacted ? null : (value ?? null)));
    return { primary: name, shadow: name, redacted, primaryValue: primaryValue!, shadowValue: shadowValue! };
  };
  const id = (value: string | undefined) => (value === undefined ? undefined : `${number}`);
  return {
    key,
    primary: a !== undefined,
    shadow: b !== undefined,
    columns: [column('id', [id(a), id(b)]), column('v', [a, b])],
  };
}

export function recordOf(it: Both, key: string): RowComparison {
  const [number, a, b] = bothOf(it, key);
  return {
    key: `{"id": ${number}}`,
    primaryHash: hashOf(a),
    shadowHash: hashOf(b),
    equal: a === b,
    differingColumns: a !== b && a !== undefined && b !== undefined ? ['v'] : [],
    late: it.hints.some((hint) => hint.key === number),
    quarantined: it.quarantine.has(number),
  };
}
