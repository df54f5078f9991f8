/** Checks of the API: is it there, does it take the token, and what does it say of flags and cutovers. */

import { isCrossfadeError, messageOf } from '../../core/base/errors.ts';
import { healthText } from '../../core/look/health.ts';
import type { SystemReport } from '../../flows/report/report.ts';
import type { Api } from '../api.ts';
import { type Check, fail, ok, warn } from './check.ts';

export async function checkApi(api: Api, url: string): Promise<Check[]> {
  try {
    await api.get('/v1/health');
  } catch (error) {
    return [fail('API', messageOf(error), 'Start Crossfade, or set CROSSFADE_URL to where it runs.')];
  }
  const reachable = ok('API', `answers at ${url}`);
  try {
    return [reachable, ...judgeReport(await api.get<SystemReport>('/v1/cutovers'))];
  } catch (error) {
    return [reachable, refusedReport(error)];
  }
}

function refusedReport(error: unknown): Check {
  const code = isCrossfadeError(error) ? error.code : 'internal';
  if (code === 'unauthenticated' || code === 'forbidden') {
    return fail(
      'token',
      messageOf(error),
      'Put a valid access token with the scope control:read into CROSSFADE_TOKEN.',
    );
  }
  return fail('status', messageOf(error), "Look into the function's log; DynamoDB must be reachable.");
}

export function judgeReport(report: SystemReport): Check[] {
  const checks = [
    ok('token', 'accepted'),
    report.flags.reachable
      ? ok('flags', `version ${report.flags.version ?? 0} is deployed`)
      : warn(
          'flags',
          'waits for the publisher: it has not said for some minutes what is deployed',
          "Readers keep their last flags; look into the log of the function 'publisher'.",
        ),
  ];
  if (report.emergencyStop) {
    checks.push(warn('emergency stop', 'it is on', "'crossfade reset system --confirm system' lifts it."));
  }
  return [...checks, ...report.cutovers.map(judgeCutover)];
}

function judgeCutover(cutover: SystemReport['cutovers'][number]): Check {
  const name = `cutover ${cutover.id}`;
  if ('why' in cutover) return fail(name, cutover.why, 'Restore its state item; the audit log says what it was.');
  if (cutover.pending) return warn(name, `${cutover.pending} is being carried out`, cutover.recommendation);
  if (cutover.health === 'rolling_back') return warn(name, 'its guards have fired', `crossfade explain ${cutover.id}`);
  if (cutover.kind === 'table' && cutover.table === null && cutover.stageKind !== 'disabled') {
    return fail(name, `in ${cutover.stage}, but Postgres could not be asked`, 'Check the database checks below.');
  }
  if (!cutover.flagsDeployed && cutover.version > 0) {
    return warn(
      name,
      `in ${cutover.stage}, its flags are not deployed`,
      'Wait for the next tick and the publisher; are their schedules on?',
    );
  }
  const { stage, health, blind, next } = cutover;
  const word = healthText(cutover);
  // What is not seen is not known to be well.
  if (blind) return warn(name, `${stage}, ${word}`, blind.text);
  if (health === 'stopped') return warn(name, `${stage}, ${word}`, `Next: ${next.text}.`);
  return ok(name, `${stage}, ${word}`);
}
