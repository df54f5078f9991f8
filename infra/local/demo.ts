/**
 * `npm start`: Chinook's `customer` crosses over while an application uses it. Starts everything, follows the cutover
 * to promotion (or to the rollback that an injected fault causes), proves that nothing was lost, and prints the report.
 */

import postgres from 'postgres';
import { type CutoverInput, defineCutovers } from '../../lib/define/cutovers.ts';
import type { CutoverReport } from '../../lib/flows/report/report.ts';
import type { Fault } from '../examples/chinook/app-protocol.ts';
import { customerCutover } from '../examples/chinook/cutover.ts';
import {
  CORRUPT_A_TENTH,
  PROVE_BEFORE,
  PROVE_PROMOTED,
  PROVE_REVERSE,
  PROVE_ROLLED_BACK,
} from '../examples/chinook/statements.ts';
import { localApi } from './api.ts';
import { type DemoApp, startDemoApp } from './demo-app.ts';
import { chinookDatabase } from './demo-database.ts';
import { collectHistory, type Demo, lastWhy, prove, proveQuiet } from './demo-proof.ts';
import { type DemoReport, problemsOf, renderReport } from './demo-report.ts';
import { createDisplay } from './display.ts';
import { type Stack, startStack } from './stack.ts';

export type DemoOptions = {
  root: string;
  port: number;
  speed: number;
  plan: NonNullable<CutoverInput['plan']> & string;
  fault: Fault | null;
  /** End when the job is done, after exercising the rollback, instead of staying up. */
  exit: boolean;
};

const ID = customerCutover.id;
const LOOK_EVERY_MS = 500;
const WITHIN_MS = 240_000;
/** Exit code of a program that was asked to stop. */
const STOPPED = 130;

/** @returns the exit code: 0 nothing was lost, 4 rolled back, 1 anything else */
export async function runDemo(options: DemoOptions, untilStopped: Promise<void>): Promise<number> {
  const display = createDisplay(process.stdout, process.env.NO_COLOR === undefined);
  display.say('\nStarting the local stack');
  const stack = await startStack({
    root: options.root,
    port: options.port,
    speed: options.speed,
    cutovers: defineCutovers([demoCutover(options.plan)]),
    database: chinookDatabase,
    say: display.say,
  });
  let app: DemoApp | null = null;
  const sql = postgres(stack.settings.ownerDatabaseUrl, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    app = await startApplication(options, stack);
    const api = localApi(stack.settings.apiUrl, stack.token);
    const demo: Demo = { stack, app, api, display, sql, report: emptyReport(options) };
    display.say(introduction(stack, options));
    const work = crossOver(demo, options);
    // Once everything is being stopped the work is not waited for, which fails then as it must.
    work.catch(() => {});
    const code = await Promise.race([work, untilStopped.then(() => STOPPED)]);
    if (options.exit || code === STOPPED) return code;
    display.say(`\nEverything stays up: ${stack.settings.url}   Ctrl-C ends it.`);
    await untilStopped;
    return code;
  } finally {
    await app?.stop();
    await sql.end({ timeout: 2 });
    await stack.stop();
  }
}

/** Chinook's cutover with the patience of a demonstration: three virtual minutes a stage, and few samples. */
function demoCutover(plan: DemoOptions['plan']): CutoverInput {
  return {
    ...customerCutover,
    plan,
    dwellMinutes: 3,
    // Everything shares two cores here: what is slower by less than this is noise of the machine.
    // A stage lasts three minutes; in the first of them a process opens its connections.
    // At the default thresholds proof takes 300 operations of the shadow at 1 % and 3,000 from 10 % on: minutes of real time.
    policy: {
      errorRateRollback: 0.05,
      errorRateAdvance: 0.03,
      minSamples: 40,
      warmUpMinutes: 1,
      latencyFloorMs: 250,
      lagAdvanceMs: 5_000,
    },
  };
}

function startApplication(options: DemoOptions, stack: Stack): Promise<DemoApp> {
  const { settings } = stack;
  return startDemoApp(
    options.root,
    {
      databaseUrl: stack.database.applicationUrl ?? settings.databaseUrl,
      prepare: true,
      apiUrl: settings.apiUrl,
      token: stack.token(),
      flags: {
        url: settings.appconfigEndpoint,
        application: settings.environment.CROSSFADE_APPCONFIG_APPLICATION!,
        environment: settings.environment.CROSSFADE_APPCONFIG_ENVIRONMENT!,
        profile: settings.environment.CROSSFADE_APPCONFIG_PROFILE!,
      },
      maxFlagAgeMs: 500,
      clockSpeed: settings.clockSpeed,
      clockOriginMs: settings.clockOriginMs,
      fault: options.fault,
    },
    stack.token,
  );
}

// ------------------------------------------------------------------------------------------------------- the crossing

async function crossOver(demo: Demo, options: DemoOptions): Promise<number> {
  await demo.api.command(ID, 'start', {});
  demo.report.startedMs = Date.now();
  const end = await follow(demo, (report) => report.health === 'ready' || report.stageKind === 'rolled_back');
  if (end.stageKind === 'rolled_back') return rolledBack(demo, end);

  await prove(demo, 'before promotion: transformed primary and shadow', PROVE_BEFORE);
  await demo.api.command(ID, 'complete', { confirm: ID });
  const settled = (report: CutoverReport) => report.pending === null || report.stageKind === 'rolled_back';
  const completed = await follow(demo, settled);
  if (completed.stageKind === 'full') throw new Error(`The promotion was given up: ${await lastWhy(demo)}`);
  if (completed.stageKind === 'rolled_back') return rolledBack(demo, completed);
  await collectHistory(demo);
  await proveQuiet(demo, [
    ["after promotion: the application's twin and the promoted table", PROVE_PROMOTED],
    ['after promotion: the promoted table and the old one', PROVE_REVERSE],
  ]);
  if (options.exit) await exerciseRollback(demo);
  finish(demo);
  const problems = problemsOf(demo.report);
  demo.display.say(renderReport(demo.report, problems));
  return problems.length === 0 ? 0 : 1;
}

/** Shows the cutover until a condition holds. @throws Error when it does not get there in four minutes */
async function follow(demo: Demo, reached: (report: CutoverReport) => boolean): Promise<CutoverReport> {
  const deadline = Date.now() + WITHIN_MS;
  for (;;) {
    if (demo.report.fault === 'divergence') await demo.sql.unsafe(CORRUPT_A_TENTH);
    const report = await demo.api.report(ID);
    watch(demo, report);
    demo.display.show(report, applicationLines(demo));
    if (reached(report)) return report;
    if (Date.now() > deadline) {
      const why = report.verdict.reasons.map((reason) => reason.text).join(' ');
      throw new Error(`The cutover is still in stage ${report.stage} after ${WITHIN_MS / 1000} s. ${why}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function watch(demo: Demo, report: CutoverReport): void {
  const { report: seen } = demo;
  seen.worstLagMs = Math.max(seen.worstLagMs, report.table?.lagMs ?? 0);
  const verification = report.table?.verification;
  if (verification && verification.atMs !== seen.lastVerificationMs) {
    seen.lastVerificationMs = verification.atMs;
    seen.verifications += 1;
    seen.rowsCompared += verification.rowsCompared;
    seen.divergences += verification.divergences;
  }
  if (report.stage !== seen.stages.at(-1)?.stage) seen.stages.push({ stage: report.stage, atMs: Date.now() });
}

function applicationLines(demo: Demo): string[] {
  const { reads, shadowReads, writes, failed, fallbacks } = demo.app.stats();
  const saved = fallbacks > 0 ? `, ${fallbacks} answered by the old path instead` : '';
  return [`application   ${reads} reads (${shadowReads} by the new shape${saved}), ${writes} writes, ${failed} failed`];
}

async function rolledBack(demo: Demo, end: CutoverReport): Promise<number> {
  // The last read by the new shape can only come before the flags have reached the application.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const { rollback } = end;
  const stats = demo.app.stats();
  const decidedMs =
    demo.stack.settings.clockOriginMs +
    (rollback!.atMs - demo.stack.settings.clockOriginMs) / demo.stack.settings.clockSpeed;
  demo.report.rollback = {
    fromStage: rollback!.fromStage,
    cause: rollback!.reason,
    faultToDecisionMs: stats.firstFaultMs === null ? null : decidedMs - stats.firstFaultMs,
    decisionToLastReadMs: stats.lastShadowReadMs === null ? null : Math.max(0, stats.lastShadowReadMs - decidedMs),
  };
  await prove(demo, "after the rollback: the application's twin and the table", PROVE_ROLLED_BACK, true);
  finish(demo);
  demo.display.say(renderReport(demo.report, problemsOf(demo.report)));
  return 4;
}

/** Promotion is not the end: the way back is taken, too, and must lose nothing either. */
async function exerciseRollback(demo: Demo): Promise<void> {
  demo.display.say('\nTaking the way back: rollback after completion, with the application still writing');
  await demo.api.command(ID, 'rollback', { reason: 'the demonstration takes the way back' });
  await follow(demo, (report) => report.stageKind === 'rolled_back');
  await collectHistory(demo);
  await prove(demo, "after the rollback: the application's twin and the old table", PROVE_ROLLED_BACK, true);
}

function finish(demo: Demo): void {
  const stats = demo.app.stats();
  demo.report.application = stats;
  demo.report.endedMs = Date.now();
}

function emptyReport(options: DemoOptions): DemoReport {
  return {
    plan: options.plan,
    fault: options.fault,
    startedMs: 0,
    endedMs: 0,
    stages: [],
    verifications: 0,
    lastVerificationMs: 0,
    rowsCompared: 0,
    divergences: 0,
    worstLagMs: 0,
    lockHeldMs: 0,
    auditIntact: null,
    proofs: [],
    rollback: null,
    application: null,
  };
}

function introduction(stack: Stack, options: DemoOptions): string {
  return [
    '',
    `Dashboard   ${stack.settings.url}`,
    `Elsewhere   npx --no-install crossfade status ${ID} --watch${options.port === 3000 ? '' : ` --port ${options.port}`}`,
    '',
    `Chinook's table customer moves to a new shape by plan '${options.plan}', one minute every ${(60 / options.speed).toFixed(1)} s:`,
    '  customer_id int → bigint · postal_code → text · company → company_name · full_name computed',
    "  loyalty_tier NOT NULL DEFAULT 'standard' · fax dropped",
    `An application reads and writes customers all the while${options.fault ? `; its new code has the fault '${options.fault}' in 10 % of its calls` : ''}.`,
    '',
  ].join('\n');
}
