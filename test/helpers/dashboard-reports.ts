/** Reports and audit logs in the states that the dashboard must show, made by the real gates, stage machine and report. */

import { condition } from '../../lib/core/conditions/condition.ts';
import type { Verdict } from '../../lib/core/conditions/verdict.ts';
import {
  type CutoverDeclaration,
  type CutoverState,
  DEFAULT_POLICY,
  INITIAL_SYSTEM,
  initialState,
  type SystemState,
} from '../../lib/core/cutover/cutover.ts';
import { type Phase, UNTOUCHED_PHASE } from '../../lib/core/cutover/phase.ts';
import { builtInPlan } from '../../lib/core/cutover/plan.ts';
import { evaluateGates } from '../../lib/core/gates/evaluate.ts';
import { type Evidence, RECENT_MINUTES } from '../../lib/core/gates/evidence.ts';
import { bucketIndex } from '../../lib/core/gates/histogram.ts';
import type { MinuteWindow } from '../../lib/core/gates/minute-window.ts';
import { pendingCondition } from '../../lib/core/gates/pending.ts';
import type { GateInput } from '../../lib/core/gates/seen.ts';
import type { StoredVerdict } from '../../lib/core/gates/stored-verdict.ts';
import type { TableStatus } from '../../lib/core/gates/table-status.ts';
import type { Judgement } from '../../lib/core/look/snapshot.ts';
import { DEFAULT_GATEWAY } from '../../lib/core/net/upstream.ts';
import { type FlagDocument, flagDocument } from '../../lib/core/routing/flags.ts';
import { type AuditEntry, nextEntry } from '../../lib/core/stage/audit.ts';
import type { Event } from '../../lib/core/stage/events.ts';
import { record } from '../../lib/core/stage/evolve.ts';
import type { AlertList } from '../../lib/flows/alerts/alerts.ts';
import { collectAround } from '../../lib/flows/control/collect.ts';
import { look } from '../../lib/flows/control/look.ts';
import { report, type SystemReport } from '../../lib/flows/report/report.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { inMemoryAlerts } from './fakes/alerts.ts';
import { forwardPorts, inMemoryForwards } from './fakes/forwards.ts';
import { partsOf } from './parts.ts';

export type Scene = {
  report: SystemReport;
  /** The report of one cutover alone, as its own request has it. */
  one(id: string): Promise<SystemReport>;
  /** What the API and the tick would see of it now. */
  judgements(): Promise<Judgement[]>;
  audit: AuditEntry<Event>[];
  alerts?: AlertList;
};

const MINUTE = 60_000;
/** 2025-11-21 09:30:20 UTC. */
export const NOW = Date.UTC(2025, 10, 21, 9, 30, 20);

type Traffic = { perMinute: number; p50: number; tail: number; errorRate: number; mismatches?: number };
export type Actor = {
  id: string;
  kind?: CutoverDeclaration['kind'];
  policy?: Partial<CutoverDeclaration['policy']>;
  /** What happened, with how many minutes ago. */
  events: readonly [minutesAgo: number, event: Event, actor?: string][];
  primary?: (minutesAgo: number) => Traffic | null;
  shadow?: (minutesAgo: number) => Traffic | null;
  table?: Partial<TableStatus> | null;
  /** What Postgres said in the minutes before, where it said something else. */
  earlier?: (minutesAgo: number) => Partial<TableStatus>;
  flagsBehind?: boolean;
  /** Why the pending intent could not be carried out by the last tick. */
  waits?: string;
  invalid?: string;
};

const table = (over: Partial<TableStatus> = {}): TableStatus => ({
  armed: 'forward',
  mirror: null,
  lagMs: 340,
  outboxRows: 3,
  quarantined: 0,
  quarantine: [],
  backfill: { state: 'done', rowsDone: 59_811, rowsTotal: 59_811, rowsPerSecond: 0 },
  verification: { rowsCompared: 59_811, divergences: 0, score: 1, atMs: NOW - 4 * MINUTE, samples: [] },
  ...over,
});

/** A report of cutovers that have lived through the given events, at `NOW`. */
export async function scene(
  actors: readonly Actor[],
  system: { emergencyStop?: boolean; flagsDown?: boolean; postgresDown?: boolean; phases?: PhasesOfScene } = {},
): Promise<Scene> {
  const cast = actors.map((actor) => play(actor, system.phases?.declared));
  const phases = system.phases?.states ?? {};
  const systemState = { ...INITIAL_SYSTEM, phases, emergencyStop: system.emergencyStop ?? false, version: 1 };
  const document = flagDocument(cast, systemState);
  const stubs = stubPorts(cast, systemState, system.flagsDown ? null : behind(document, actors));
  const ports = system.postgresDown ? withoutPostgres(stubs) : stubs;
  const declarations = cast.map(({ declaration }) => declaration);
  const made = await report(ports, declarations);
  const stop = nextEntry<Event>(INITIAL_SYSTEM, {
    subject: 'system',
    atMs: NOW - MINUTE,
    actor: 'grace@example.com',
    event: { type: 'system_changed', change: { emergencyStop: true }, reason: 'Checkout fails for everyone' },
    version: 1,
    epoch: 0,
  });
  return {
    report: made,
    // What the report of all says of the time holds, whatever a test has made of it.
    one: async (id) => report(ports, declarations, { only: id }),
    judgements: async () => {
      const around = await collectAround(ports, declarations);
      return Promise.all(declarations.map((declaration) => look(ports, around, declaration, { atLeastMinutes: 60 })));
    },
    audit: [...cast.flatMap(({ entries }) => entries), ...(system.emergencyStop ? [stop] : [])],
  };
}

type Cast = ReturnType<typeof play>;
type PhasesOfScene = { declared: readonly Phase[]; states: SystemState['phases'] };

const phaseOf = (name: string, cutovers: readonly string[], over: Partial<Phase> = {}): Phase => ({
  name,
  place: 0,
  cutovers,
  after: [],
  reach: 'full',
  soakMinutes: 2_880,
  preparation: [],
  validation: [],
  criteria: [],
  decision: 'person',
  ...over,
});

/** One phase done, one that soaks, one that runs, one that waits for two things, one that was rolled back. */
export const fivePhases: PhasesOfScene = {
  declared: [
    phaseOf('accounts', ['artist']),
    phaseOf('catalogue', ['playlist'], {
      after: ['accounts'],
      criteria: [{ name: 'rehearsed', manual: 'The way back was rehearsed' }],
    }),
    phaseOf('orders', ['customer', 'track'], { after: ['accounts'] }),
    phaseOf('search', ['search_index'], { after: ['orders'] }),
    phaseOf('chat', ['chat_api'], {
      after: ['orders', 'search'],
      preparation: [{ name: 'support_told', manual: 'The support team knows the date' }],
    }),
  ].map((phase, place) => ({ ...phase, place })),
  states: {
    accounts: { ...UNTOUCHED_PHASE, status: 'done', decision: { kind: 'go', actor: 'ada', reason: '', atMs: NOW } },
    catalogue: {
      ...UNTOUCHED_PHASE,
      status: 'soaking',
      sinceMs: NOW - 600 * MINUTE,
      soakUntilMs: NOW + 2_280 * MINUTE,
    },
    orders: { ...UNTOUCHED_PHASE, status: 'running', sinceMs: NOW - 600 * MINUTE },
    search: {
      ...UNTOUCHED_PHASE,
      status: 'rolled_back',
      decision: { kind: 'rollback', actor: 'tick', reason: 'search_index was rolled back: it was slow', atMs: NOW },
    },
  },
};

function play(actor: Actor, phases: readonly Phase[] = []) {
  const kind = actor.kind ?? 'table';
  const common = {
    id: actor.id,
    plan: builtInPlan('gradual'),
    policy: { ...DEFAULT_POLICY, ...actor.policy },
    salt: actor.id,
    validation: 'strict' as const,
    allow: [],
    deny: [],
    ...(phases.some(({ cutovers }) => cutovers.includes(actor.id))
      ? { phase: phases.find(({ cutovers }) => cutovers.includes(actor.id))! }
      : {}),
  };
  const declaration: CutoverDeclaration =
    kind === 'table'
      ? { ...common, kind, table: { primary: `public.${actor.id}`, shadow: `public.${actor.id}_shadow` } }
      : kind === 'service'
        ? {
            ...common,
            kind,
            upstreams: { primary: 'https://old.example', shadow: 'https://new.example' },
            gateway: DEFAULT_GATEWAY,
          }
        : { ...common, kind };
  let state: CutoverState = initialState(declaration);
  const entries: AuditEntry<Event>[] = [];
  for (const [minutesAgo, event, by] of actor.events) {
    const step = record(state, [event], { nowMs: NOW - minutesAgo * MINUTE, actor: by ?? 'tick' });
    state = step.state;
    entries.push(...step.entries);
  }
  return { actor, declaration, state, entries };
}

function behind(document: FlagDocument, actors: readonly Actor[]): FlagDocument {
  const late = new Set(actors.filter((actor) => actor.flagsBehind).map((actor) => actor.id));
  const cutovers = Object.fromEntries(Object.entries(document.cutovers).filter(([id]) => !late.has(id)));
  return { ...document, cutovers };
}

/** A tick that has looked just now, and whose evidence is of no use any more. */
const LAST_TICK: StoredVerdict = {
  atMs: NOW - 20_000,
  evidence: null,
  verdict: evaluateGates({
    state: initialState({
      id: 'none',
      kind: 'component',
      plan: builtInPlan('gradual'),
      salt: 'none',
    } as CutoverDeclaration),
    policy: DEFAULT_POLICY,
    parts: [],
    table: null,
    flagsDeployed: true,
    nowMs: NOW - 20_000,
  }).verdict,
};

/** It has not answered for seven minutes, as each tick has seen. */
function withoutPostgres(ports: Ports): Ports {
  const away = { ...condition('database', { ok: false, seen: null, limit: null }), sinceMs: NOW - 7 * MINUTE };
  const read: Ports['verdicts']['read'] = async (id) => {
    const last = (await ports.verdicts.read(id))!;
    return { ...last, verdict: { ...last.verdict, conditions: [...last.verdict.conditions, away] } };
  };
  return {
    ...ports,
    inspecting: { ...ports.inspecting, statuses: noRoute },
    verdicts: { ...ports.verdicts, read },
  };
}

async function noRoute(): Promise<never> {
  throw new Error('connect ECONNREFUSED 10.0.0.5:5432');
}

function stubPorts(cast: readonly Cast[], system: typeof INITIAL_SYSTEM, document: FlagDocument | null): Ports {
  const of = (id: string) => cast.find(({ declaration }) => declaration.id === id)!;
  const stubs = {
    clock: { now: () => NOW, monotonicMs: () => 0, sleep: async () => {} },
    log: { event: () => {}, failure: () => {} },
    ...forwardPorts(inMemoryForwards({ realNow: () => NOW })),
    alerts: inMemoryAlerts(),
    state: {
      readSystem: async () => system,
      readAll: async () =>
        cast.map(({ actor, state }) => (actor.invalid ? { id: actor.id, invalid: actor.invalid } : state)),
    },
    verdicts: {
      read: async (id: string) => ({ ...LAST_TICK, verdict: lastVerdict(of(id)), evidence: lookedAt(of(id)) }),
    },
    windows: { readParts: async (id: string) => partsOf([...windowsOf(of(id).actor)]) },
    inspecting: {
      statuses: async (ids: readonly string[]) =>
        new Map(
          ids.map(of).flatMap(({ actor, state: { epoch, version, stage } }) => {
            const known = actor.table !== null && actor.events.length > 0;
            return known ? [[actor.id, table({ mirror: { epoch, version, stage }, ...actor.table })] as const] : [];
          }),
        ),
    },
    flags: {
      deployed: async () => {
        if (!document) throw new Error('no route to host');
        return { document, latestVersion: 12 };
      },
    },
  };
  return stubs as unknown as Ports;
}

const lastVerdict = ({ actor, state }: Cast): Verdict => ({
  ...LAST_TICK.verdict,
  conditions: [...LAST_TICK.verdict.conditions, ...pendingCondition(state, actor.waits ?? null, LAST_TICK.atMs)],
});

/** The evidence of the ticks of the last half hour: what Postgres said in each of them. Folded from the windows otherwise. */
function lookedAt({ actor, declaration, state }: Cast): Evidence | null {
  if (!actor.earlier) return null;
  const parts = partsOf([...windowsOf(actor)]);
  const minutes = Math.min(RECENT_MINUTES, Math.floor((NOW - state.enteredAtMs) / MINUTE));
  let evidence: Evidence | null = null;
  for (let ago = minutes; ago > 0; ago -= 1) {
    const status = table({ ...actor.table, ...actor.earlier(ago) });
    const nowMs = NOW - ago * MINUTE;
    const input: GateInput = {
      state,
      policy: declaration.policy,
      parts,
      table: status,
      flagsDeployed: true,
      nowMs,
      evidence,
    };
    evidence = evaluateGates(input).evidence;
  }
  return evidence;
}

/** Worked out once: a quarter of a million latencies for each look at an actor. */
const known = new WeakMap<Actor, readonly MinuteWindow[]>();

function windowsOf(actor: Actor): readonly MinuteWindow[] {
  const windows = known.get(actor) ?? allWindowsOf(actor);
  known.set(actor, windows);
  return windows;
}

function allWindowsOf(actor: Actor): MinuteWindow[] {
  const windows: MinuteWindow[] = [];
  for (let ago = 100; ago >= 0; ago -= 1) {
    for (const side of ['primary', 'shadow'] as const) {
      const traffic = actor[side]?.(ago);
      if (traffic) windows.push(windowOf(traffic, side, Math.floor(NOW / MINUTE) - ago));
    }
  }
  return windows;
}

/** Latencies spread evenly over a long-tailed curve, with a little weather that depends on the minute alone. */
function windowOf(traffic: Traffic, side: MinuteWindow['side'], minute: number): MinuteWindow {
  const weather = 1 + 0.05 * Math.sin(minute * 1.7 + (side === 'shadow' ? 2 : 0)) + 0.03 * Math.sin(minute * 0.31);
  const count = Math.round(traffic.perMinute * weather);
  const latency: Record<number, number> = {};
  for (let i = 0; i < count; i += 1) {
    const q = (i + 0.5) / count;
    const value = traffic.p50 * weather * Math.exp(traffic.tail * (q - 0.5) * 2 * q);
    const bucket = bucketIndex(value);
    latency[bucket] = (latency[bucket] ?? 0) + 1;
  }
  const errors = Math.max(
    0,
    Math.round(count * traffic.errorRate + 0.9 * Math.sin(minute * 12.9898) * Math.sign(traffic.errorRate)),
  );
  const checks = side === 'shadow' ? Math.round(count / 4) : 0;
  return {
    minute,
    side,
    count,
    errors,
    keyless: 0,
    latency,
    checks,
    mismatches: Math.min(checks, traffic.mismatches ?? 0),
  };
}

// ------------------------------------------------------------------------------------------------------------- scenes

const plan = builtInPlan('gradual');
const ADA = 'ada@example.com';
const legacy = (): Traffic => ({ perMinute: 1200, p50: 8.2, tail: 1.3, errorRate: 0.0012 });
const lighter = (): Traffic => ({ perMinute: 130, p50: 6.1, tail: 1.2, errorRate: 0 });
const started = (ago: number): [number, Event, string] => [ago, { type: 'started', plan }, ADA];
const advanced = (ago: number, from: string, to: string): [number, Event] => [
  ago,
  { type: 'advanced', from, to, forced: false },
];

export const copying: Actor = {
  id: 'invoice_line',
  events: [started(11)],
  primary: legacy,
  table: {
    lagMs: 1240,
    outboxRows: 58,
    backfill: { state: 'running', rowsDone: 896_000, rowsTotal: 2_240_000, rowsPerSecond: 3120 },
    verification: null,
  },
  earlier: (ago) => ({
    lagMs: 1240 + 160 * ago,
    outboxRows: 58 + 12 * ago,
    backfill: {
      state: 'running',
      rowsDone: Math.max(0, 896_000 - 81_000 * ago),
      rowsTotal: 2_240_000,
      rowsPerSecond: 1350,
    },
  }),
};

export const serving: Actor = {
  id: 'customer',
  events: [started(172), advanced(98, 'dual_write', 'test_1'), advanced(32, 'test_1', 'test_10')],
  primary: legacy,
  shadow: (ago) => (ago <= 98 ? { ...lighter(), perMinute: ago <= 32 ? 130 : 14 } : null),
  earlier: (ago) => ({ lagMs: 340 + 90 * (ago % 5), outboxRows: 3 + 2 * (ago % 7) }),
};

/** The same, whose shadow was cold in the first minute of its stage. */
export const cold: Actor = {
  ...serving,
  shadow: (ago) => (ago === 31 ? { ...lighter(), p50: 110 } : serving.shadow!(ago)),
};

export const held: Actor = {
  id: 'track',
  events: [started(400), advanced(300, 'dual_write', 'test_1'), advanced(84, 'test_1', 'test_10')],
  primary: legacy,
  shadow: (ago) => (ago <= 84 ? { ...lighter(), p50: 9.4, tail: 1.3 } : null),
  earlier: (ago) => ({ lagMs: 2_900 + 700 * Math.max(0, 12 - ago), outboxRows: 60 + 13 * Math.max(0, 12 - ago) }),
  table: {
    lagMs: 2_900,
    outboxRows: 214,
    quarantined: 2,
    quarantine: [
      {
        key: '{"track_id": 2461}',
        sqlstate: '23514',
        reason: 'new row violates check constraint "track_shadow_price_check"',
        attempts: 8,
      },
      {
        key: '{"track_id": 3018}',
        sqlstate: '22P02',
        reason: 'invalid input syntax for type numeric',
        attempts: 8,
      },
    ],
  },
};

/** The same, and the last verification found rows that differ. */
export const differing: Actor = {
  ...held,
  table: {
    ...held.table,
    verification: {
      rowsCompared: 3_503,
      divergences: 3,
      score: 0.99914,
      atMs: NOW - 6 * MINUTE,
      samples: [
        { key: '{"track_id": 77}', columns: ['unit_price'] },
        { key: '{"track_id": 204}', columns: ['name', 'composer'] },
        { key: '{"track_id": 2999}', columns: [] },
      ],
    },
  },
};

export const rolledBack: Actor = {
  id: 'search_index',
  kind: 'component',
  events: [
    started(90),
    advanced(62, 'dual_write', 'test_1'),
    advanced(31, 'test_1', 'test_10'),
    [
      23,
      {
        type: 'rolled_back',
        from: 'test_10',
        cause: 'guard',
        reason: 'The shadow fails 4.62 % of its operations (57 of 1234), the primary 0.04 %; the limit is 1 % more.',
      },
    ],
  ],
  primary: legacy,
  shadow: (ago) => (ago > 23 && ago <= 62 ? { ...lighter(), errorRate: ago <= 29 ? 0.05 : 0.0002 } : null),
};

export const completed: Actor = {
  id: 'artist',
  events: [
    started(600),
    advanced(500, 'dual_write', 'test_1'),
    advanced(400, 'test_1', 'test_10'),
    advanced(300, 'test_10', 'half_50'),
    advanced(200, 'half_50', 'full_100'),
    [41, { type: 'intent_recorded', action: 'promote', epoch: 2, reason: '' }, ADA],
    [41, { type: 'completed', from: 'full_100', lockHeldMs: 9 }],
  ],
  shadow: () => ({ ...lighter(), perMinute: 1300 }),
  table: { armed: 'reverse', lagMs: 0, outboxRows: 0 },
};

export const notStarted: Actor = { id: 'chat_api', kind: 'service', events: [] };

export const ready: Actor = {
  id: 'playlist',
  kind: 'component',
  events: [
    started(600),
    advanced(500, 'dual_write', 'test_1'),
    advanced(400, 'test_1', 'test_10'),
    advanced(300, 'test_10', 'half_50'),
    advanced(64, 'half_50', 'full_100'),
  ],
  primary: (ago) => (ago > 64 ? legacy() : null),
  shadow: (ago) => ({ ...lighter(), perMinute: ago > 64 ? 600 : 1300 }),
};

export const failing: Actor = {
  id: 'checkout',
  kind: 'service',
  events: [started(200), advanced(100, 'dual_write', 'test_1'), advanced(20, 'test_1', 'test_10')],
  primary: legacy,
  shadow: (ago) => (ago <= 100 ? { ...lighter(), errorRate: ago <= 6 ? 0.2 : 0 } : null),
};

export const unreadable: Actor = {
  id: 'album',
  kind: 'component',
  events: [],
  invalid: "The item of cutover 'album' has no version: somebody edited it by hand. Restore it from the audit log.",
};

export const HOSTILE =
  '<img src=x onerror="window.owned=1"><script>alert(1)</script></svg>" onmouseover=\u001b[31mred\u001b[0m javascript:\u202egnp';

export const hostile: Actor = {
  id: '<img/src=x/onerror=window.owned=1>',
  kind: 'table',
  events: [
    [30, { type: 'started', plan }, HOSTILE],
    [5, { type: 'rolled_back', from: 'dual_write', reason: HOSTILE, cause: 'operator' }, HOSTILE],
  ],
  table: { quarantined: 1, quarantine: [{ key: HOSTILE, sqlstate: '</td>', reason: HOSTILE, attempts: 1 }] },
};
