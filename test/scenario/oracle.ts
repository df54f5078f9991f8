/**
 * Watches a world and knows nothing of how it is built: it compares what was promised to the application, what the audit
 * log says, what is stored, deployed and mirrored, and what readers act on. Each violation names its invariant.
 */

import { isDeepStrictEqual } from 'node:util';
import { type CutoverDeclaration, type CutoverState, initialState } from '../../lib/core/cutover/cutover.ts';
import { syncsShadow } from '../../lib/core/cutover/stage-kinds.ts';
import { compareFlagAge } from '../../lib/core/routing/flags.ts';
import { type AuditEntry, verifyChain } from '../../lib/core/stage/audit.ts';
import { deviation } from '../../lib/core/stage/conform.ts';
import type { Event } from '../../lib/core/stage/events.ts';
import { evolve } from '../../lib/core/stage/evolve.ts';
import { MINUTE_MS, type World } from '../helpers/world.ts';

/** The fake's table past its port, so that no fault that is meant for a flow is used up by looking. */
export type Inside = {
  authoritative: ReadonlyMap<number, string>;
  follower: ReadonlyMap<number, string>;
  direction: 'none' | 'forward' | 'reverse';
  mirror: { epoch: number; version: number } | null;
  hints: readonly { key: number; atMs: number }[];
  quarantine: ReadonlyMap<number, unknown>;
  backfill: { state: string };
};
export const inside = (world: World, id: string) => world.tables.rows(id) as unknown as Inside;

type Known = {
  declaration: CutoverDeclaration;
  state: CutoverState;
  entries: AuditEntry<Event>[];
  /** By the world's clock, not by that of whoever wrote it. */
  enteredAtMs: number;
  /** Moments in a row in which its tables did not follow each other. */
  unfollowed: number;
  /** Ticks in a row at whose end flags or mirror differed from the state. */
  behind: number;
};

export type Oracle = ReturnType<typeof oracle>;

/** Stages that send nobody to the shadow, or to whom there is no alternative any more. */
const BACK: ReadonlySet<string> = new Set(['disabled', 'rolled_back', 'cleaned']);
/** Where a rollback leads; or, when it was not deployed before the next start, where that leads: nobody is sent there either. */
const goesBack = ({ stage, epoch }: { stage: string; epoch: number }, oldest: number) =>
  BACK.has(stage) || (stage === 'dual_write' && epoch - oldest >= 2);
/** Readers refresh one after the other, within a quarter of a minute. */
const REFRESHED_MS = 15_000;
/** Clocks of ticks may differ from the world's by this much and still be on time. */
const SKEW_MS = 10_000;

export function oracle(world: World) {
  const violations: string[] = [];
  const known = new Map<string, Known>(
    world.cutovers.map((declaration) => {
      const state = initialState(declaration);
      return [declaration.id, { declaration, state, entries: [], enteredAtMs: 0, unfollowed: 0, behind: 0 }];
    }),
  );
  let published = 0;
  /** True while nothing is made to fail: then flags and mirror must keep up. */
  let calm = true;
  const violated = (id: string, what: string) => {
    violations.push(`${id} at ${new Date(world.clock.now()).toISOString().slice(11, 19)}: ${what}`);
  };

  world.onApplied((change) => {
    const it = known.get(change.after.id)!;
    for (const entry of change.entries) followEntry(it, entry);
    if (!isDeepStrictEqual(it.state, change.after)) {
      violated('I19', `the log of ${change.after.id} leads to ${brief(it.state)}, written was ${brief(change.after)}`);
      it.state = change.after;
    }
  });

  function followEntry(it: Known, entry: AuditEntry<Event>): void {
    const before = it.state;
    checkStep(it, entry);
    const why = deviation(before, entry);
    if (why !== null) violated('I17', why);
    it.state = { ...evolve(before, entry), auditSeq: entry.seq, auditHash: entry.hash };
    it.entries.push(entry);
    if (it.state.stage !== before.stage) it.enteredAtMs = world.clock.now();
    if (it.state.epoch < before.epoch || it.state.epoch > before.epoch + 1)
      violated('I19', `the epoch went from ${before.epoch} to ${it.state.epoch}`);
  }

  function checkStep(it: Known, { event }: AuditEntry<Event>): void {
    const { state, declaration } = it;
    if ('from' in event && event.from !== state.stage)
      violated('I18', `'${event.type}' starts from ${event.from}, the cutover is in ${state.stage}`);
    if (event.type !== 'advanced') return;
    const at = state.plan.stages.findIndex(({ name }) => name === state.stage);
    if (state.plan.stages[at + 1]?.name !== event.to) violated('I17', `${state.stage} was followed by ${event.to}`);
    if (event.forced) return;
    for (const missing of unproven(world, declaration, it)) violated('I21', `${state.stage} → ${event.to}: ${missing}`);
  }

  world.onMoment(() => {
    for (; published < world.publications.length; published += 1) {
      for (const [id, flag] of Object.entries(world.publications[published]!.cutovers)) {
        const { state } = known.get(id)!;
        if (compareFlagAge(flag, state) > 0)
          violated('I27', `flags of ${id} at ${flag.epoch}.${flag.version} were ahead of ${brief(state)}`);
      }
    }
    for (const it of known.values()) {
      const { declaration, state } = it;
      checkReaders(declaration.id, state);
      checkWritten(declaration.id, state);
      checkFollowed(it);
    }
  });

  /**
   * I29: one stage, two neighbours, or where a rollback leads. A rollback does not wait until an advance has reached
   * every reader, so it may meet two neighbours.
   */
  function checkReaders(id: string, state: CutoverState): void {
    const stages = new Set<string>();
    let oldest = state.epoch;
    for (const { document } of world.app.readers) oldest = Math.min(oldest, document?.cutovers[id]?.epoch ?? oldest);
    for (const { document } of world.app.readers) {
      const flag = document?.cutovers[id];
      if (flag && !goesBack(flag, oldest)) stages.add(flag.stage);
    }
    if (stages.size < 2) return;
    const order = state.plan.stages.map(({ name }) => name);
    const [first, second] = [...stages].map((stage) => order.indexOf(stage));
    if (stages.size > 2 || Math.abs(first! - second!) !== 1)
      violated('I29', `readers act on ${[...stages].join(', ')}`);
  }

  /** I41: nobody reads a shadow whose writes are off, but for the moment until the last reader has refreshed. */
  function checkWritten(id: string, { stageKind, switches }: CutoverState): void {
    if (switches.shadowWrites || world.clock.now() - switches.sinceMs <= REFRESHED_MS) return;
    const shares = world.app.readers.map(({ document }) => document?.cutovers[id]?.read_ppm ?? 0);
    if (shares.some((ppm) => ppm > 0))
      violated('I41', `readers are sent to the shadow in ${stageKind}, and nothing is written to it`);
  }

  /** I41 as well: no reader asks for a shadow by its name once nothing follows it any more. */
  function checkFollowed(it: Known): void {
    const { state, declaration } = it;
    if (declaration.kind !== 'table') return;
    const follows = inside(world, state.id).direction !== 'none' || state.stageKind === 'cleaned';
    it.unfollowed = follows ? 0 : it.unfollowed + 1;
    // In each moment one reader refreshes.
    if (it.unfollowed <= world.app.readers.length) return;
    const flags = world.app.readers.map(({ document }) => document?.cutovers[state.id]);
    if (flags.some((flag) => flag && flag.read_ppm > 0 && !flag.shadow_is_primary))
      violated('I41', `readers are sent to the shadow in ${state.stage}, and nothing follows it`);
  }

  function checkFollowers(it: Known): void {
    const { state, declaration } = it;
    const flag = world.served()?.cutovers[declaration.id];
    const mirror = declaration.kind === 'table' ? inside(world, declaration.id).mirror : null;
    const settling = state.pending && mirror && mirror.epoch === state.pending.epoch;
    if (mirror && compareFlagAge(mirror, state) > 0 && !settling)
      violated('I27', `the mirror of ${state.id} at ${mirror.epoch}.${mirror.version} is ahead of ${brief(state)}`);
    const behind =
      state.version > 0 &&
      (!flag || compareFlagAge(flag, state) !== 0 || (mirror !== null && compareFlagAge(mirror, state) !== 0));
    it.behind = behind && calm ? it.behind + 1 : 0;
    if (it.behind > 2) violated('I27', `flags or mirror of ${state.id} did not follow ${brief(state)} for two ticks`);
  }

  function report(): void {
    for (const { name, error } of world.failures) {
      const { name: kind } = error as Error;
      if (kind !== 'CrossfadeError' && kind !== 'Error') violated('bug', `${name}: ${String((error as Error).stack)}`);
    }
    if (violations.length > 0) throw new Error(`Violated: ${[...new Set(violations)].slice(0, 5).join(' | ')}`);
  }

  return {
    known,
    calm: (yes: boolean) => {
      calm = yes;
    },
    state: (id: string) => known.get(id)!.state,
    entries: (id: string) => known.get(id)!.entries,
    /** Every minute. */
    check(): void {
      for (const it of known.values()) {
        checkFollowers(it);
        if (it.declaration.kind === 'table') {
          const missing = differences(world.app.twin(it.state.id), inside(world, it.state.id).authoritative);
          if (missing.length > 0) violated('I1', `keys ${missing.slice(0, 3)} of ${it.state.id} are not as written`);
        }
      }
      report();
    },
    /** The stored log against the stored state, and both against what was seen being written. */
    async checkAudit(): Promise<void> {
      for (const { state, entries } of known.values()) {
        const stored = await world.state.readCutover(state.id);
        const log = await world.state.readAudit(state.id, { limit: 100_000, oldestFirst: true });
        const chain = verifyChain(log, state);
        if (!chain.intact) violated('I19', `the chain of ${state.id}: ${chain.why}`);
        if (!isDeepStrictEqual(hashes(log), hashes(entries)))
          violated('I19', `the log of ${state.id} was not as written`);
        if (stored && !isDeepStrictEqual(stored, state))
          violated('I19', `replay gives ${brief(state)}, stored is ${brief(stored)}`);
      }
      report();
    },
    /** I2, I3: no hints wait, and the follower has exactly the rows of the other side, but for keys in quarantine. */
    checkQuiet(): void {
      for (const { declaration, state } of known.values()) {
        if (declaration.kind !== 'table' || !syncsShadow(state)) continue;
        const { authoritative, follower, hints, quarantine, backfill } = inside(world, state.id);
        if (backfill.state !== 'done' || hints.length > 0)
          violated(
            'I26',
            `${state.id} in ${state.stage} is not quiet: ${hints.length} hints, backfill ${backfill.state}`,
          );
        const wrong = differences(authoritative, follower).filter((key) => !quarantine.has(key));
        const ghosts = wrong.filter((key) => !authoritative.has(key));
        if (ghosts.length > 0) violated('I3', `the shadow of ${state.id} has keys ${ghosts.slice(0, 3)} of nobody`);
        if (wrong.length > ghosts.length) violated('I2', `keys ${wrong.slice(0, 3)} of ${state.id} differ`);
      }
      report();
    },
  };
}

/** I21, judged from what the world knows: what an advance of this cutover lacked at this moment. */
function unproven(world: World, declaration: CutoverDeclaration, { state, enteredAtMs }: Known): string[] {
  const nowMs = world.clock.now();
  const nowMinute = Math.floor(nowMs / MINUTE_MS);
  const { policy, id } = declaration;
  const dwellMinutes = state.plan.stages.find(({ name }) => name === state.stage)!.dwellMinutes;
  const recorded = world.windows.additions(id).map(({ window }) => window);
  const reads = state.stageKind === 'ramp' || state.stageKind === 'full';
  const sides = state.stageKind === 'full' ? ['shadow'] : reads ? ['primary', 'shadow'] : ['primary'];
  const seen = (side: string) =>
    recorded.some((window) => window.side === side && window.count > 0 && window.minute >= nowMinute - 3);
  const samples = recorded
    .filter(({ side, minute }) => side === 'shadow' && minute * MINUTE_MS >= enteredAtMs - SKEW_MS)
    .reduce((sum, { count }) => sum + count, 0);
  const flag = world.served()?.cutovers[id];
  const lacks: [boolean, string][] = [
    [nowMs - enteredAtMs < dwellMinutes * MINUTE_MS - SKEW_MS, `only ${(nowMs - enteredAtMs) / MINUTE_MS} minutes`],
    [state.paused, 'paused'],
    [policy.approvalRequired && !state.approved, 'not approved'],
    [!flag || compareFlagAge(flag, state) !== 0, 'its flags are not deployed'],
    [!sides.every(seen), 'no fresh data'],
    [reads && samples < policy.minSamples, `only ${samples} samples`],
  ];
  if (declaration.kind === 'table') {
    const { quarantine, hints, backfill } = inside(world, id);
    const lagMs = hints.length === 0 ? 0 : nowMs - Math.min(...hints.map(({ atMs }) => atMs));
    lacks.push(
      [quarantine.size > 0, `${quarantine.size} keys in quarantine`],
      [backfill.state !== 'done', 'the backfill is not done'],
      [lagMs > policy.lagAdvanceMs + SKEW_MS, `a lag of ${lagMs} ms`],
    );
  }
  return lacks.filter(([lacking]) => lacking).map(([, text]) => text);
}

export function differences(a: ReadonlyMap<number, string>, b: ReadonlyMap<number, string>): number[] {
  const keys: number[] = [];
  for (const [key, value] of a) if (b.get(key) !== value) keys.push(key);
  for (const key of b.keys()) if (!a.has(key)) keys.push(key);
  return keys;
}

const hashes = (entries: readonly AuditEntry<Event>[]) => entries.map(({ hash }) => hash);

const brief = ({ stage, epoch, version, pending }: CutoverState) =>
  `${stage} ${epoch}.${version}${pending ? ` (${pending.action} pending)` : ''}`;
