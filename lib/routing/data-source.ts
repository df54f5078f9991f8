/**
 * Flags from sessions of AppConfigData, for where no agent runs. The AWS SDK is the application's own and is loaded with
 * the first fetch: it is part of the Lambda runtime, and only users of sessions pay for it.
 */

import type { AppConfigDataClient } from '@aws-sdk/client-appconfigdata';
import { CrossfadeError } from '../core/base/errors.ts';
import type { ServedFlags } from '../core/routing/flags.ts';
import type { FlagSource } from './flag-cache.ts';
import { checkFlagText } from './flag-check.ts';

/** In our own words: who never uses sessions needs no types of the AWS SDK. */
type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

export type DataSourceOptions = {
  /** Names or ids. */
  application: string;
  environment: string;
  profile: string;
  pollSeconds?: number | undefined;
  /** What the client is made with; region and credentials come from the environment where they are not given. */
  connection?:
    | { region?: string; endpoint?: string; credentials?: Credentials | (() => Promise<Credentials>) }
    | undefined;
  /** An `AppConfigDataClient` that exists already, instead of a connection. */
  client?: { send: (...call: never[]) => Promise<unknown> } | undefined;
  /** Monotonic milliseconds, for the poll interval. */
  now?: (() => number) | undefined;
  /** Turns the served text into flags. @throws CrossfadeError `flags_invalid` */
  parse?: ((text: string) => ServedFlags) | undefined;
};

/** Without them the SDK waits for ever, and `requestTimeout` alone only prints a warning. */
const LIMITS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true },
};

/** `fresh` until it has delivered something: from then on an empty text means "unchanged". */
type Session = { token: string; notBeforeMs: number; fresh: boolean };
type Polled = { text: string; first: boolean };

/**
 * Sessions of AppConfigData. A token works once and not before its time; content that did not change comes back empty.
 * The client is loaded with the first fetch.
 */
export function dataSource(options: DataSourceOptions): FlagSource {
  const { now = () => performance.now(), parse = checkFlagText } = options;
  let connected: AppConfigDataClient | null = (options.client as AppConfigDataClient | undefined) ?? null;
  let session: Session | null = null;
  /** What the session's content was last, since the service does not repeat it, and when it was asked for. */
  let last: { problem: CrossfadeError | null; askedAtMs: number } | null = null;

  async function poll(client: AppConfigDataClient, signal: AbortSignal): Promise<Polled> {
    const { GetLatestConfigurationCommand } = await import('@aws-sdk/client-appconfigdata');
    session ??= await startSession(client, options, signal);
    const first = session.fresh;
    const answer = await client.send(new GetLatestConfigurationCommand({ ConfigurationToken: session.token }), {
      abortSignal: signal,
    });
    const waitMs = (answer.NextPollIntervalInSeconds ?? 0) * 1000;
    session = answer.NextPollConfigurationToken
      ? { token: answer.NextPollConfigurationToken, notBeforeMs: now() + waitMs, fresh: false }
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

  /** Before its time the service is not asked, and the flags are as old as the last answer. */
  function unchanged(): { unchanged: true; ageMs: number } {
    if (last?.problem) throw last.problem;
    return { unchanged: true, ageMs: last ? now() - last.askedAtMs : 0 };
  }

  return {
    async fetch(signal) {
      if (session && last && now() < session.notBeforeMs) return unchanged();
      const askedAtMs = now();
      let polled: Polled;
      try {
        connected ??= await sessionClient(options.connection);
        polled = await pollAnew(connected, signal);
      } catch (error) {
        throw unavailable(error);
      }
      if (polled.text === '' && !polled.first) {
        last = { problem: last?.problem ?? null, askedAtMs };
        return unchanged();
      }
      const { document, problem } = parsed(polled.text, parse);
      last = { problem, askedAtMs };
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

/** The client with its limits. */
export async function sessionClient(connection: DataSourceOptions['connection'] = {}): Promise<AppConfigDataClient> {
  const { AppConfigDataClient } = await import('@aws-sdk/client-appconfigdata');
  return new AppConfigDataClient({ ...connection, ...LIMITS });
}

function parsed(
  text: string,
  parse: (text: string) => ServedFlags,
): { document: ServedFlags; problem: null } | { document: null; problem: CrossfadeError } {
  try {
    return { document: parse(text), problem: null };
  } catch (error) {
    if (error instanceof CrossfadeError) return { document: null, problem: error };
    throw error;
  }
}

const NO_ACCESS = /AccessDenied|UnrecognizedClient|InvalidSignature|ExpiredToken|CredentialsProvider/;

function unavailable(error: unknown): CrossfadeError {
  const isRefused = error instanceof Error && NO_ACCESS.test(error.name);
  const seen = error instanceof Error ? `${error.name}: ${error.message || 'without a message'}` : String(error);
  const advice = isRefused
    ? 'Allow this role appconfig:StartConfigurationSession and GetLatestConfiguration, or correct the credentials.'
    : 'The last good ones stay in use; check region, names and that AppConfig can be reached from here.';
  return new CrossfadeError(
    isRefused ? 'access_denied' : 'flags_unavailable',
    `The flags could not be read from AppConfig: ${seen}. ${advice}`,
    { retryable: !isRefused, cause: error },
  );
}
