/**
 * Reads that are sent to both sides, away from the caller: the gateway leaves a note of one in a hundred beside the call,
 * and the writer, woken by it, asks both sides the same question. What differs twice counts as a mismatch, what is
 * unfair does not count at all: a resource with forwarded writes on their way, a side that is away, more than time allows.
 * What the shadow alone refuses is its failure: to the gateway, which sees one side, a 404 is an answer like any other.
 */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { ServiceDeclaration, Side } from '../../core/cutover/cutover.ts';
import { upstreamOf } from '../../core/cutover/write-target.ts';
import { orderKeyOf } from '../../core/forwards/forward.ts';
import { compileRules, type Difference, diffJson } from '../../core/forwards/json-diff.ts';
import { parseJson } from '../../core/forwards/json-text.ts';
import { emptyWindow, type MinuteWindow } from '../../core/gates/minute-window.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Upstream, UpstreamResponse } from '../../ports/upstream.ts';
import type { ReadToCompare } from '../../ports/wake-ups.ts';

export type Compared = 'equal' | 'different' | 'skipped';

type Needs = Pick<Ports, 'clock' | 'ids' | 'forwards' | 'windows' | 'log'> & { upstream: Upstream };

/** Time for what is under way to arrive, before a difference is believed. */
const SECOND_LOOK_MS = 300;
const MAX_PATHS = 10;

export async function compareRead(
  ports: Needs,
  declaration: ServiceDeclaration,
  read: ReadToCompare,
  deadlineMs: number,
): Promise<Compared> {
  const rules = declaration.gateway.compare;
  const orderKey = orderKeyOf(read.path, declaration.gateway.orderSegments);
  let found: Found = EQUAL;
  let pair: Counted = {};
  for (let look = 1; look <= 2; look += 1) {
    const leftMs = deadlineMs - ports.clock.monotonicMs();
    if (leftMs < rules.timeoutMs + SECOND_LOOK_MS) return 'skipped';
    if ((await ports.forwards.open(declaration.id, orderKey)).length > 0) return 'skipped';
    const [primary, shadow] = await Promise.all([
      ask(ports, declaration, 'primary', read),
      ask(ports, declaration, 'shadow', read),
    ]);
    if (look === 1) pair = pairOf(primary, shadow);
    // Where no answer came there is none to compare; the pair counts all the same.
    if (!primary || !shadow || primary.status >= 500) {
      await record(ports, declaration.id, read, pair);
      return 'skipped';
    }
    found = differences(primary, shadow, compileRules(rules.ignore));
    if (found.differences.length === 0) break;
    if (look === 1) await ports.clock.sleep(SECOND_LOOK_MS);
    else if (refusesAlone(primary, shadow)) pair = { ...pair, onlyShadow: 1 };
  }
  if (found.differences.length === 0 && !found.isWhole) {
    await record(ports, declaration.id, read, { ...pair, incomparable: 1 });
    ports.log.event('answers_too_large', {
      cutover: declaration.id,
      method: read.method,
      resource: resourceOf(orderKey),
    });
    return 'skipped';
  }
  const isDifferent = found.differences.length > 0;
  await record(ports, declaration.id, read, { ...pair, checks: 1, mismatches: isDifferent ? 1 : 0 });
  if (isDifferent) report(ports, { cutover: declaration.id, method: read.method, orderKey }, found.differences);
  return isDifferent ? 'different' : 'equal';
}

async function ask(
  ports: Needs,
  declaration: ServiceDeclaration,
  side: Side,
  read: ReadToCompare,
): Promise<UpstreamResponse | null> {
  const deadlineMs = ports.clock.monotonicMs() + declaration.gateway.compare.timeoutMs;
  const target = upstreamOf(declaration, side);
  const headers = { ...read.headers, 'accept-encoding': 'identity' };
  try {
    const { method, path, query } = read;
    return await ports.upstream(target, {
      method,
      path,
      query,
      headers,
      body: null,
      mount: '/',
      deadlineMs,
      decoded: true,
    });
  } catch {
    return null;
  }
}

/** `isWhole` is false for JSON that is larger or deeper than what is compared. */
type Found = { differences: readonly Difference[]; isWhole: boolean };
const EQUAL: Found = { differences: [], isWhole: true };

function differences(
  primary: UpstreamResponse,
  shadow: UpstreamResponse,
  rules: ReturnType<typeof compileRules>,
): Found {
  if (primary.status !== shadow.status)
    return one({ path: 'status', kind: 'value', primary: primary.status, shadow: shadow.status });
  if (Buffer.compare(primary.body, shadow.body) === 0) return EQUAL;
  const [a, b] = [json(primary), json(shadow)];
  if (a === undefined || b === undefined)
    return one({ path: '$', kind: a === b ? 'value' : 'type', primary: null, shadow: null });
  const { differences, unseen } = diffJson(a, b, rules);
  return { differences, isWhole: unseen.length === 0 };
}

const one = (difference: Difference): Found => ({ differences: [difference], isWhole: true });

function json(answer: UpstreamResponse): unknown {
  if (!/[/+]json\b/.test(answer.headers['content-type'] ?? '')) return undefined;
  try {
    return parseJson(Buffer.from(answer.body).toString('utf8'));
  } catch {
    return undefined;
  }
}

type Counted = Partial<
  Pick<MinuteWindow, 'checks' | 'mismatches' | 'incomparable' | 'pairs' | 'onlyShadow' | 'onlyPrimary'>
>;

/** Both were asked the same: which of them alone failed. */
function pairOf(primary: UpstreamResponse | null, shadow: UpstreamResponse | null): Counted {
  const fails = (answer: UpstreamResponse | null) => !answer || answer.status >= 500;
  if (fails(primary) === fails(shadow)) return { pairs: 1 };
  return { pairs: 1, [fails(shadow) ? 'onlyShadow' : 'onlyPrimary']: 1 };
}

/** What a client takes for a refusal or for nothing there: a failure of the side that says so while the other one serves. */
const REFUSALS: readonly number[] = [401, 403, 404, 410, 429];

/** Of the primary the same is a difference, and no failure: the shadow may not be right to serve what it refuses. */
const refusesAlone = (primary: UpstreamResponse, shadow: UpstreamResponse): boolean =>
  REFUSALS.includes(shadow.status) && primary.status < 400;

async function record(ports: Needs, cutover: string, { slice }: ReadToCompare, counted: Counted): Promise<void> {
  const nowMs = ports.clock.now();
  const window = { ...emptyWindow(Math.floor(nowMs / MINUTE_MS), 'shadow' as const), ...counted };
  try {
    await ports.windows.add(ports.ids.next(), cutover, [{ cutover, operation: 'compare', slice, window }], nowMs);
  } catch (error) {
    ports.log.failure('checks_not_recorded', error, { cutover });
  }
}

/** Which fields differ and how; never what is in them. The same difference has the same text, which groups it. */
function report(
  ports: Needs,
  { cutover, method, orderKey }: { cutover: string; method: string; orderKey: string },
  found: readonly Difference[],
): void {
  const paths = [...new Set(found.map(({ path, kind }) => `${path} (${kind})`))].sort().slice(0, MAX_PATHS).join(', ');
  ports.log.event('answers_differ', { cutover, method, resource: resourceOf(orderKey), paths });
}

const resourceOf = (orderKey: string): string => orderKey.split('/')[0] ?? '';
