/**
 * What readers use: sessions of AppConfigData, and the path of the agent. A session's token works once, for a day, and
 * not before the poll interval is over; content that the session has already got is answered with an empty body.
 */

import { randomUUID } from 'node:crypto';
import { DAY_MS } from '../../../lib/core/base/units.ts';
import { type DeploymentRules, type Reader, servedVersion } from './deployments.ts';
import type { Faults } from './faults.ts';
import { FEATURE_FLAGS, flattened } from './feature-flags.ts';
import { bodyOf, json, numberOf, type Place, type Reply, type Request, type Route, textOf } from './http.ts';
import { badRequest, notFound, type ServiceError } from './service-error.ts';
import { type HostedVersion, type Profile, placeOf, type Session, type Store, type Token } from './store.ts';

/** What the agent saw when it last looked, by place, and how long it goes on with it. */
export type AgentMemory = { pollMs: number; seen: Map<string, { atMs: number; version: HostedVersion }> };

export type DataContext = {
  store: Store;
  nowMs: number;
  faults: Readonly<Faults>;
  /** When the agent went stale; it knows nothing that was started later. */
  agentStaleSinceMs: number;
  rules: DeploymentRules;
  minPollSeconds: number;
  agent: AgentMemory;
};

const AGENT: Reader = { bucket: 0, delayMs: 0, ignoreStartedAfterMs: Number.POSITIVE_INFINITY };

export const DATA_ROUTES: readonly Route<DataContext>[] = [
  { method: 'POST', path: '/configurationsessions', operation: 'StartConfigurationSession', handle: startSession },
  { method: 'GET', path: '/configuration', operation: 'GetLatestConfiguration', handle: latest },
  { method: 'GET', path: '/applications/{A}/environments/{E}/configurations/{P}', operation: 'Agent', handle: agent },
];

// -------------------------------------------------------------------------------------------------------- sessions

function startSession(context: DataContext, _place: Place, request: Request): Reply {
  const body = bodyOf(request);
  const place = placeOf(
    context.store,
    textOf(body, 'ApplicationIdentifier'),
    textOf(body, 'EnvironmentIdentifier'),
    textOf(body, 'ConfigurationProfileIdentifier'),
  );
  const pollSeconds = numberOf(body, 'RequiredMinimumPollIntervalInSeconds', {
    from: context.minPollSeconds,
    to: 86_400,
    otherwise: context.minPollSeconds,
  });
  const bucket = (context.store.tokens.size * 37) % 100;
  const session: Session = { ...place, bucket, pollSeconds, delivered: null };
  return json(201, { InitialConfigurationToken: newToken(context, session, 0) });
}

function newToken(context: DataContext, session: Session, afterMs: number): string {
  const token = randomUUID();
  const at = { createdAtMs: context.nowMs, notBeforeMs: context.nowMs + afterMs };
  context.store.tokens.set(token, { session, ...at, used: false });
  return token;
}

function latest(context: DataContext, _place: Place, request: Request): Reply {
  const token = validToken(context, request.query.get('configuration_token'));
  const { session } = token;
  const version = servedVersion(session.environment, session.profile, readerOf(context, session), context);
  if (!version) throw notFound('Deployment', session.environment.id);
  token.used = true;
  const headers = {
    'next-poll-configuration-token': newToken(context, session, session.pollSeconds * 1000),
    'next-poll-interval-in-seconds': String(session.pollSeconds),
    'content-type': version.contentType,
    ...(version.label === null ? {} : { 'version-label': version.label }),
  };
  const unchanged = session.delivered === version && context.faults.content === 'good';
  session.delivered = context.faults.content === 'good' ? version : null;
  return { status: 200, headers, body: unchanged ? Buffer.alloc(0) : contentOf(context, session.profile, version) };
}

const readerOf = (context: DataContext, session: Session): Reader => ({
  bucket: session.bucket,
  delayMs: (context.faults.propagationMs * session.bucket) / 99,
  ignoreStartedAfterMs: Number.POSITIVE_INFINITY,
});

function validToken(context: DataContext, text: string | null): Token {
  const token = context.store.tokens.get(text ?? '');
  if (!token) throw tokenProblem('Corrupted', 'The token is not one of ours.');
  if (token.used) throw tokenProblem('Expired', 'The token was used before.');
  if (context.nowMs - token.createdAtMs > DAY_MS) throw tokenProblem('Expired', 'The token is older than a day.');
  if (context.nowMs < token.notBeforeMs)
    throw tokenProblem('PollIntervalNotSatisfied', 'The poll interval is not over.');
  return token;
}

function tokenProblem(problem: string, message: string): ServiceError {
  return badRequest(message, {
    Reason: 'InvalidParameters',
    Details: { InvalidParameters: { ConfigurationToken: { Problem: problem } } },
  });
}

// ----------------------------------------------------------------------------------------------------------- agent

function agent(context: DataContext, place: Place, request: Request): Reply {
  const { environment, profile } = placeOf(context.store, place.A!, place.E!, place.P!);
  const stale = context.faults.agent === 'stale';
  const reader = { ...AGENT, ...(stale ? { ignoreStartedAfterMs: context.agentStaleSinceMs } : {}) };
  const version = remembered(context, `${environment.id} ${profile.id}`, () =>
    servedVersion(environment, profile, reader, context),
  );
  if (!version) throw notFound('Deployment', environment.id);
  const content = contentOf(context, profile, version);
  const wanted = request.query.getAll('flag');
  return {
    status: 200,
    headers: { 'configuration-version': String(version.number), 'content-type': version.contentType },
    body: wanted.length > 0 ? someFlags(content, wanted) : content,
  };
}

/** The agent looks at intervals of its own, and answers from memory in between. */
function remembered(
  { agent, nowMs }: DataContext,
  place: string,
  look: () => HostedVersion | null | undefined,
): HostedVersion | null | undefined {
  const seen = agent.seen.get(place);
  if (seen && nowMs - seen.atMs < agent.pollMs) return seen.version;
  const version = look();
  if (version) agent.seen.set(place, { atMs: nowMs, version });
  return version;
}

function someFlags(content: Buffer, wanted: readonly string[]): Buffer {
  const flags = JSON.parse(content.toString('utf8')) as Record<string, unknown>;
  const missing = wanted.find((name) => !(name in flags));
  if (missing !== undefined) throw badRequest(`Flag '${missing}' is not in this configuration.`);
  return Buffer.from(JSON.stringify(Object.fromEntries(wanted.map((name) => [name, flags[name]]))));
}

// --------------------------------------------------------------------------------------------------------- content

function contentOf({ faults }: DataContext, profile: Profile, version: HostedVersion): Buffer {
  const good = profile.type === FEATURE_FLAGS ? flattened(version.content) : version.content;
  switch (faults.content) {
    case 'empty':
      return Buffer.alloc(0);
    case 'html':
      return Buffer.from('<html><body><h1>503 Service Unavailable</h1></body></html>');
    case 'truncated':
      return good.subarray(0, Math.floor(good.length / 2));
    case 'foreign':
      return Buffer.from('{"checkout":{"enabled":true,"limit":5}}');
    default:
      return good;
  }
}
