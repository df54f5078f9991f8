/**
 * Flags for code on the server: from the agent on its local port, or, where there is none, from sessions of AppConfigData.
 */

import type { AppConfigDataClient } from '@aws-sdk/client-appconfigdata';
import { type AgentOptions, agentSource as clientAgentSource } from '../../client/agent-source.ts';
import type { FlagSource } from '../../client/flag-cache.ts';
import { CrossfadeError } from '../../core/errors.ts';
import type { FlagDocument } from '../../core/flags.ts';
import { parseFlagText } from '../../schemas/flags.ts';
import { type AppConfigClientOptions, appConfigDataClient } from './client.ts';
import { failureOf, flagsError } from './failures.ts';

/** The agent, with the schema that everything on the server uses. */
export function agentSource(options: Omit<AgentOptions, 'parse'>): FlagSource {
  return clientAgentSource({ ...options, parse: parseFlagText });
}

export type DataSourceOptions = {
  /** Names or ids. */
  application: string;
  environment: string;
  profile: string;
  /** Monotonic milliseconds, for the poll interval. */
  now: () => number;
  pollSeconds?: number;
  connection?: AppConfigClientOptions;
  /** A client that exists already, instead of a connection. */
  client?: AppConfigDataClient;
};

/** `fresh` until it has delivered something: from then on an empty text means "unchanged". */
type Session = { token: string; notBeforeMs: number; fresh: boolean };
type Polled = { text: string; first: boolean };

/**
 * Sessions of AppConfigData. A token works once and not before its time; content that did not change comes back empty.
 * The client is loaded with the first fetch.
 */
export function dataSource(options: DataSourceOptions): FlagSource {
  let connected: AppConfigDataClient | null = options.client ?? null;
  let session: Session | null = null;
  /** What the session's content was last, since the service does not repeat it. */
  let last: { problem: CrossfadeError | null } | null = null;

  async function poll(client: AppConfigDataClient, signal: AbortSignal): Promise<Polled> {
    const { GetLatestConfigurationCommand } = await import('@aws-sdk/client-appconfigdata');
    session ??= await startSession(client, options, signal);
    const first = session.fresh;
    const answer = await client.send(new GetLatestConfigurationCommand({ ConfigurationToken: session.token }), {
      abortSignal: signal,
    });
    const waitMs = (answer.NextPollIntervalInSeconds ?? 0) * 1000;
    session = answer.NextPollConfigurationToken
      ? { token: answer.NextPollConfigurationToken, notBeforeMs: options.now() + waitMs, fresh: false }
      : null;
    // An empty body arrives as null, although the type says undefined.
    return { text: answer.Configuration ? new TextDecoder().decode(answer.Configuration) : '', first };
  }

  /** A token that was used, has expired or came too early ends its session; a new one starts with the whole content. */
  async function pollAnew(client: AppConfigDataClient, signal: AbortSignal): Promise<Polled> {
    const resumed = session !== null;
    try {
      return await poll(client, signal);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'BadRequestException') throw error;
      session = null;
      if (!resumed) throw error;
      return poll(client, signal);
    }
  }

  function unchanged(): { unchanged: true } {
    if (last?.problem) throw last.problem;
    return { unchanged: true };
  }

  return {
    async fetch(signal) {
      if (session && last && options.now() < session.notBeforeMs) return unchanged();
      let polled: Polled;
      try {
        connected ??= await appConfigDataClient(options.connection);
        polled = await pollAnew(connected, signal);
      } catch (error) {
        throw flagsError('read the flags', failureOf(error));
      }
      if (polled.text === '' && !polled.first) return unchanged();
      const { document, problem } = parsed(polled.text);
      last = { problem };
      if (problem) throw problem;
      return { document };
    },
  };
}

async function startSession(
  client: AppConfigDataClient,
  options: DataSourceOptions,
  abortSignal: AbortSignal,
): Promise<Session> {
  const { StartConfigurationSessionCommand } = await import('@aws-sdk/client-appconfigdata');
  const started = await client.send(
    new StartConfigurationSessionCommand({
      ApplicationIdentifier: options.application,
      EnvironmentIdentifier: options.environment,
      ConfigurationProfileIdentifier: options.profile,
      RequiredMinimumPollIntervalInSeconds: options.pollSeconds ?? 15,
    }),
    { abortSignal },
  );
  return { token: started.InitialConfigurationToken ?? '', notBeforeMs: 0, fresh: true };
}

function parsed(text: string): { document: FlagDocument; problem: null } | { document: null; problem: CrossfadeError } {
  try {
    return { document: parseFlagText(text), problem: null };
  } catch (error) {
    if (error instanceof CrossfadeError) return { document: null, problem: error };
    throw error;
  }
}
