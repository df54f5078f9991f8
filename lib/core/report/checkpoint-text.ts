/** Checkpoint reports as lines of text, for people. Pure. */

import { ms, percent, proofText, share } from '../conditions/figures.ts';
import type { SideFigures } from '../conditions/verdict.ts';
import type { Checkpoint, CheckpointDecision, PhaseCheckpoint } from './checkpoints.ts';

type Reports = { cutover: string; stages: readonly Checkpoint[]; phase: readonly PhaseCheckpoint[] };

export function checkpointText({ cutover, stages, phase }: Reports): string[] {
  const lines = [`Checkpoints of ${cutover}`];
  if (stages.length === 0) lines.push('  It has been in no stage that serves yet.');
  for (const checkpoint of stages) lines.push('', ...stageLines(checkpoint));
  if (phase.length > 0) {
    lines.push('', `Phase ${phase[0]!.phase}`);
    for (const { atMs, actor, decision, reason } of phase)
      lines.push(`  ${iso(atMs)}  ${decision} by ${actor}${reason ? `: ${reason}` : ''}`);
  }
  return lines;
}

function stageLines(checkpoint: Checkpoint): string[] {
  const { stage, sharePpm, fromMs, toMs, compared, tests, heldBy, decision, next } = checkpoint;
  const lines = [`${stage} (${share(sharePpm)} of the reads), ${iso(fromMs)} to ${toMs === null ? 'now' : iso(toMs)}`];
  if (!compared) lines.push('  compared   nothing: no windows of it are stored');
  else {
    lines.push(`  primary    ${side(compared.primary)}`, `  shadow     ${side(compared.shadow)}`);
    lines.push(`  checks     ${compared.mismatches} of ${compared.checks} differed, over ${compared.minutes} minutes`);
  }
  if (tests.length > 0)
    lines.push(
      `  harm       ${tests.map((test) => `${test.code} ${proofText(test.evidence, test.needed)}`).join(', ')} of the way to a proof`,
    );
  lines.push(`  decision   ${decision ? decided(decision) : 'none yet'}`);
  for (const { text } of heldBy) lines.push(`  held       ${text}`);
  return [...lines, `  next       ${next}`];
}

function side({ count, errors, errorRate, p50Ms, p95Ms }: SideFigures): string {
  if (errorRate === null) return 'no operations';
  const latency = (name: string, value: number | null) => (value === null ? '' : `, ${name} ${ms(value)}`);
  return `${count} operations, ${errors} failed (${percent(errorRate)})${latency('p50', p50Ms)}${latency('p95', p95Ms)}`;
}

function decided({ kind, to, actor, atMs, forced, reason }: CheckpointDecision): string {
  const how = forced ? ', without proof' : '';
  return `${kind} to ${to} by ${actor}${how}, ${iso(atMs)}${reason ? `: ${reason}` : ''}`;
}

const iso = (atMs: number) => new Date(atMs).toISOString();
