/**
 * The entry `crossfade-client/appconfig`, for who may run without an agent.
 *
 * Flags from the AppConfig agent on its local port when there is one, else from sessions of AppConfigData. Whichever
 * answered stays in use; when it fails, the other is asked. The first answer after a change is the whole content, so
 * what one of them calls unchanged is never measured by what the other has said.
 */

import { isCrossfadeError } from '../core/base/errors.ts';
import { agentSource } from '../routing/agent-source.ts';
import { type DataSourceOptions, dataSource } from '../routing/data-source.ts';
import type { FlagAnswer, FlagSource } from '../routing/flag-cache.ts';

export type AppConfigOptions = DataSourceOptions & {
  /** Base of the agent. Default `http://127.0.0.1:2772`, where its Lambda extension listens. */
  agentUrl?: string | undefined;
  /** How long the agent may take: it answers from memory. */
  agentDeadlineMs?: number | undefined;
};

/** @example appConfigSource({ application: 'crossfade', environment: 'prod', profile: 'flags' }) */
export function appConfigSource(options: AppConfigOptions): FlagSource {
  const { agentUrl: url = 'http://127.0.0.1:2772', agentDeadlineMs = 100, ...names } = options;
  const agent = (): FlagSource => {
    const source = agentSource({ ...names, url });
    return { fetch: (signal) => source.fetch(AbortSignal.any([signal, AbortSignal.timeout(agentDeadlineMs)])) };
  };
  const makers = [agent, () => dataSource(names)] as const;
  let at = 0;
  let source = makers[0]();

  function turn(): FlagSource {
    at = 1 - at;
    source = makers[at]!();
    return source;
  }

  async function askOther(signal: AbortSignal, problem: unknown): Promise<FlagAnswer> {
    try {
      return await turn().fetch(signal);
    } catch (otherProblem) {
      // Refused content is the better explanation than a source that does not exist here.
      throw isCrossfadeError(otherProblem) && otherProblem.code === 'flags_invalid' ? otherProblem : problem;
    }
  }

  return {
    async fetch(signal) {
      try {
        return await source.fetch(signal);
      } catch (error) {
        // Content that is refused is the same from either.
        if (signal.aborted || (isCrossfadeError(error) && error.code === 'flags_invalid')) throw error;
        return askOther(signal, error);
      }
    },
  };
}
