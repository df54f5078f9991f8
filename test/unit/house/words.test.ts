/** One word for one idea, and plain words: names that the glossary (lib/README.md) has replaced do not come back. */

import { describe, expect, it } from 'vitest';
import { KEPT_NAMES } from '../../../lib/core/base/old-names.ts';
import { codeOf, proseOf, readSources, type Source } from '../../helpers/imports.ts';

/** What the field calls it, by the name that it must not have. */
const REPLACED: readonly [name: RegExp, word: string][] = [
  [/\bmates?\b/i, 'peer'],
  [/\binLanes\b/, 'concurrency limit'],
  [/\baskUntilAway\b/, 'short circuit'],
  [/\btogether\(/, 'batching loader'],
  [/\bsabotage/i, 'fault, planted from outside'],
  [/(?<!foreign)keys?(ToSet)?Aside/i, 'foreign key set aside'],
  [/\b(PgGateway|postgresGateway)\b/, 'connection: the gateway is the one for HTTP'],
];

/** Words without a subject behind them, and old ones, with what is written in their place. */
const NOT_PLAIN: readonly [word: RegExp, plain: string][] = [
  [/\bwhoever\b/i, 'the subject itself: the caller, the writer, the reader'],
  [/\bnobody\b/i, 'what is not done, or which one does not do it'],
  [/\banew\b/i, 'again'],
  [/\bmend(s|ed|ing)?\b/i, 'repair, or correct'],
  [/\bof before\b/i, 'earlier'],
  [/\btold\b/i, 'what is known, given or asked'],
];

/** Where a write that one side has is brought to the other: a copy is what the backfill makes of a row, so there is none. */
const FORWARDS =
  /^(lib\/(core|flows|adapters\/dynamodb)\/forwards\/|.*\/forwards?(-controls)?\.ts$|.*-forwards?\.ts$|lib\/client\/write-cutover\.ts$)/;
/** Where the plural is said all the same: names that were replaced or stay, and the option of the SDK. */
const OLD_NAMES = [
  'lib/core/base/old-names.ts',
  'lib/core/conditions/table.ts',
  'lib/client/client-types.ts',
  'lib/client/client.ts',
  'lib/client/index.ts',
];

/** Where a plan would be what is prepared for a swap, and its dry run: a plan is the stages only. Statements have plans of Postgres. */
const SWAPS =
  /^lib\/(core\/table\/(?!sql\/)|adapters\/postgres\/(capture|inspecting|swapping)\/|ports\/swapping\.ts$|cli\/render-preview\.ts$)/;

/** Words with one meaning in core and flows: what else they would be declared as, and where the one meaning is at home. */
const ONE_MEANING: readonly { declared: RegExp; home: RegExp; says: string }[] = [
  {
    declared: /^(?:export )?(?:async )?(?:function|type|const) ((?:judge(?!ment)|Judge(?!ment))\w*)/gm,
    home: /^lib\/core\/look\//,
    says: 'to judge is to go from a snapshot to its judgement: gates and rules are evaluated, metrics tested, tables checked',
  },
  {
    declared: /\b(\w*(?:compare|create|read|render)Record|RecordComparison|record(?=\(columns))\b/gm,
    home: /^$/,
    says: 'a record is what was written down of something that happened: what a table has is a row',
  },
  {
    declared: /^(?:export )?(?:async )?(?:function|const) (within(?!Ms\b)\w*)/gm,
    home: /^$/,
    says: 'within is a time, in milliseconds: a figure inside its limit is tolerated',
  },
];

const otherMeanings = ({ file, text }: Source): string[] =>
  /^lib\/(core|flows|ports)\//.test(file)
    ? ONE_MEANING.filter(({ home }) => !home.test(file)).flatMap(({ declared, says }) =>
        [...codeOf(text).matchAll(declared)].map(([, name]) => `${file}: ${name}, ${says}`),
      )
    : [];

const SOURCES = readSources(['lib', 'functions']);
/** Tests that know Postgres, and no HTTP. */
const POSTGRES_TESTS = readSources(['test/integration/postgres']);

const gateways = ({ file, text }: Source): string[] =>
  (codeOf(text).match(/\w*gateway\w*/gi) ?? []).map((name) => `${file}: ${name}, one to Postgres is a connection`);

const unplain = ({ file, text }: Source): string[] =>
  proseOf(text).flatMap((prose) =>
    NOT_PLAIN.filter(([word]) => word.test(prose)).map(([word, plain]) => `${file}: ${word}, say ${plain}: ${prose}`),
  );

const replaced = ({ file, text }: Source): string[] =>
  REPLACED.filter(([name]) => name.test(codeOf(text))).map(([name, word]) => `${file}: ${name} is called ${word}`);

/** Names that stay are no words: each stands alone, in quotes. */
const withoutKept = (text: string): string =>
  text.replaceAll(/(['`])([\w:]+)\1/g, (quoted, _, name: string) => (Object.hasOwn(KEPT_NAMES, name) ? "''" : quoted));

const copiedWrites = ({ file, text }: Source): string[] => {
  const found = FORWARDS.test(file)
    ? withoutKept(text).match(/\w*cop(y|ies|ied)\w*/gi)
    : OLD_NAMES.includes(file)
      ? null
      : codeOf(text).match(/\bcopies\b|\w+Copies\b/g);
  return (found ?? []).map(
    (name) => `${file}: ${name}, a copy is what the backfill makes: say forward, or forwarded write`,
  );
};

const plannedSwaps = ({ file, text }: Source): string[] =>
  (SWAPS.test(file) ? (codeOf(text).match(/\w*plan(?!e)\w*/gi) ?? []) : []).map(
    (name) => `${file}: ${name}, a plan is the stages only: say preview, or prepared swap`,
  );

describe('words', () => {
  it('of the glossary are the only ones for their ideas', () => {
    expect(SOURCES.flatMap(replaced)).toEqual([]);
  });

  it.each([
    'for (const mate of mates) {}',
    'await inLanes(ids, 3, work)',
    'const read = together(20, ask);',
    'const { keyAside } = record;',
    'type Own = { aside: KeyAside };',
  ])('notice %s', (text) => {
    expect(replaced({ file: 'lib/flows/x.ts', text })).toHaveLength(1);
  });

  it('call a write that the other side must get a forwarded write, and never a copy', () => {
    expect(SOURCES.filter(({ file }) => FORWARDS.test(file)).length).toBeGreaterThan(20);
    expect(SOURCES.flatMap(copiedWrites)).toEqual([]);
  });

  it.each([
    ['lib/flows/forwards/apply.ts', 'for (const head of heads) await applyCopies(head);'],
    ['lib/core/forwards/forward.ts', '/** Everything of a copy but its body. */'],
    ['lib/ports/forwards.ts', "export const text = 'a write that is to be copied';"],
    ['functions/control-routes/forwards.ts', "const path = '/v1/copies';"],
    ['lib/flows/control/collect.ts', 'const { copies } = snapshot;'],
    ['lib/flows/rows/relay.ts', 'await wakeForCopies(ports);'],
  ])('notice a copied write in %s: %s', (file, text) => {
    expect(copiedWrites({ file, text })).toHaveLength(1);
  });

  it('take the copy of rows and a kept name for what they are', () => {
    const kept = "throw new CrossfadeError('copy_pending', 'Try again.');\n/** @throws `copy_pending` */";
    expect(copiedWrites({ file: 'lib/flows/forwards/x.ts', text: kept })).toEqual([]);
    expect(copiedWrites({ file: 'lib/flows/rows/backfill.ts', text: '/** Copies rows. */ rehearseCopy();' })).toEqual(
      [],
    );
  });

  it('call the dry run of a swap a preview, and never a plan', () => {
    expect(SOURCES.filter(({ file }) => SWAPS.test(file)).length).toBeGreaterThan(50);
    expect(SOURCES.flatMap(plannedSwaps)).toEqual([]);
  });

  it.each([
    ['lib/ports/swapping.ts', 'export type Swapping = { plan(cutover: TableCutover): Promise<void> };'],
    ['lib/core/table/promotion/prepare.ts', 'const items = planPromotion(request);'],
    ['lib/adapters/postgres/swapping/swap.ts', 'type Work = { swap: SwapPlan };'],
  ])('notice a plan of a swap in %s: %s', (file, text) => {
    expect(plannedSwaps({ file, text })).toHaveLength(1);
    expect(plannedSwaps({ file: 'lib/core/cutover/plan.ts', text })).toEqual([]);
  });

  it('with one meaning are declared with no other', () => {
    expect(SOURCES.flatMap(otherMeanings)).toEqual([]);
  });

  it.each([
    ['lib/core/gates/judge.ts', 'export function judge(input: GateInput) {}'],
    ['lib/core/gates/metrics.ts', 'export type JudgedMinute = { policy: Policy };'],
    ['lib/core/cutover/switches.ts', 'export const judgedKind = (state: CutoverState) => state.stageKind;'],
    ['lib/core/table/promotion/refusals.ts', 'function judgeOthers(table: TableDependents) {}'],
    ['lib/ports/verifying.ts', 'compareRecord(id: CutoverId, key: string): Promise<void>;'],
    ['lib/core/table/sql/names.ts', 'export function record(columns: readonly string[]): string {}'],
    ['lib/core/forwards/json-diff.ts', 'function withinTolerance(walk: Walk): boolean {}'],
  ])('notice another meaning in %s: %s', (file, text) => {
    expect(otherMeanings({ file, text })).toHaveLength(1);
  });

  it('take the one meaning for what it is', () => {
    const judged = 'export function judge(snapshot: Snapshot): Judgement {}\nexport type Judgement = Snapshot;';
    expect(otherMeanings({ file: 'lib/core/look/judge.ts', text: judged })).toEqual([]);
    const kept = 'export async function recordOutcomes() {}\nconst withinMs = 1;\ntype IdempotencyRecord = {};';
    expect(otherMeanings({ file: 'lib/flows/forwards/x.ts', text: kept })).toEqual([]);
  });

  it('call what leads to Postgres a connection, in its tests too', () => {
    expect(POSTGRES_TESTS.length).toBeGreaterThan(50);
    expect(POSTGRES_TESTS.flatMap(gateways)).toEqual([]);
    expect(gateways({ file: 'x.test.ts', text: 'const owner = plane.gateway();' })).toHaveLength(1);
    expect(gateways({ file: 'x.test.ts', text: 'const owner = plane.connection();' })).toEqual([]);
  });

  it('of comments and messages are plain', () => {
    expect(SOURCES.flatMap(unplain)).toEqual([]);
  });

  it.each([
    '/** Whoever asks waits. */',
    '// What nobody reads.',
    "throw new Error('Mend the row.');",
    "const text = 'The keys are written anew.';",
    "const text = 'evidence of before';",
    '/** Called with what it was told. */',
  ])('notice that this is not plain: %s', (text) => {
    expect(unplain({ file: 'lib/flows/x.ts', text })).toHaveLength(1);
  });

  it('take no name of a value for a word, and no comment of generated SQL', () => {
    const text = `const { told } = window;\nconst by = 'nobody';\nconst sql = \`SELECT \${told}\n  -- Whoever waits.\n  FROM t\`;`;
    expect(unplain({ file: 'lib/core/x.ts', text })).toEqual([]);
  });
});
