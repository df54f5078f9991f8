/**
 * An OpenFeature provider over the SDK: a flag is a cutover, `true` or `'shadow'` is the new side. The targeting key is
 * the routing key; `groups`, `environment` and `operation` of the context are those of a routing request. Tracking is
 * recording. Staleness is noticed when somebody asks: there is no background timer here, either.
 */

import {
  ErrorCode,
  type EvaluationContext,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  type ResolutionDetails,
  StandardResolutionReasons,
  type TrackingEventDetails,
} from '@openfeature/server-sdk';
import { canonicalJson } from '../core/base/canonical-json.ts';
import { CrossfadeError } from '../core/base/errors.ts';
import type { FlagDocument } from '../core/routing/flags.ts';
import { OPENFEATURE_REASONS } from '../core/routing/openfeature-reasons.ts';
import type { RouteRequest } from '../core/routing/routing.ts';
import type { ClientRoute } from '../routing/route-table.ts';
import type { Client } from './client-types.ts';

export type ProviderOptions = {
  /** Flags older than this make the provider stale. */
  staleMs?: number | undefined;
};

/** @example await OpenFeature.setProviderAndWait(crossfadeProvider(crossfade)) */
export function crossfadeProvider(client: Client, { staleMs = 60_000 }: ProviderOptions = {}): Provider {
  const events = new OpenFeatureEventEmitter();
  const freshness = freshnessOf(events, staleMs);
  let known: FlagDocument | null = null;
  /** Null after a shutdown, until it is registered again. */
  let stopListening: (() => void) | null = listen();

  function listen(): () => void {
    return client.onFlags((document) => {
      const flagsChanged = changedFlags(known, document);
      known = document;
      // The first flags are readiness, which the SDK announces itself unless it has given up waiting.
      if (flagsChanged) events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged });
      else freshness.arrived();
    });
  }

  function resolve<T>(cutover: string, fallback: T, context: EvaluationContext, valueFor: ValueFor<T> | null) {
    if (!stopListening) return failed(fallback, ErrorCode.PROVIDER_NOT_READY, 'The provider is shut down.');
    const route = client.route(cutover, requestOf(context));
    if (route.reason === 'no_flags') {
      return failed(fallback, ErrorCode.PROVIDER_NOT_READY, 'No flags were read yet.');
    }
    // Before its type is looked at: of a flag that is not ours another provider may know more.
    if (route.reason === 'unknown_cutover') {
      return failed(fallback, ErrorCode.FLAG_NOT_FOUND, `No cutover '${cutover}' is known.`);
    }
    if (!valueFor) return failed(fallback, ErrorCode.TYPE_MISMATCH, NO_SUCH_TYPE);
    const isStale = freshness.seen(route.ageMs ?? 0);
    return {
      value: valueFor(route),
      variant: route.side,
      reason: isStale ? StandardResolutionReasons.STALE : OPENFEATURE_REASONS[route.reason],
      flagMetadata: metadataOf(route),
    };
  }

  return {
    metadata: { name: 'crossfade' },
    runsOn: 'server',
    events,
    async initialize() {
      stopListening ??= listen();
      if (await learned(client)) return;
      freshness.missed();
      const why = client.health().flagProblem?.message ?? 'They were not answered in time.';
      throw new CrossfadeError('flags_unavailable', `No flags could be read at the start. ${why}`, { retryable: true });
    },
    async onClose() {
      stopListening?.();
      stopListening = null;
      await client.close();
    },
    resolveBooleanEvaluation: async (cutover, fallback, context) =>
      resolve(cutover, fallback, context, ({ side }) => side === 'shadow'),
    resolveStringEvaluation: async (cutover, fallback, context) =>
      resolve<string>(cutover, fallback, context, ({ side }) => side),
    resolveNumberEvaluation: async (cutover, fallback, context) => resolve(cutover, fallback, context, null),
    resolveObjectEvaluation: async <T extends JsonValue>(cutover: string, fallback: T, context: EvaluationContext) =>
      resolve(cutover, fallback, context, null),
    track: (name, context, details) => track(client, name, context, details),
  };
}

type ValueFor<T> = (route: ClientRoute) => T;

const PAUSE_MS = 50;

/** True as soon as there are flags; false when the source has said that there are none. */
async function learned(client: Client): Promise<boolean> {
  for (;;) {
    await client.refresh();
    const { flagAgeMs, flagProblem } = client.health();
    if (flagAgeMs !== null || flagProblem !== null) return flagAgeMs !== null;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Tells the SDK when the flags become stale and when they are good again, once each. */
function freshnessOf(events: OpenFeatureEventEmitter, staleMs: number) {
  let state: 'good' | 'stale' | 'missing' = 'good';
  return {
    /** True when flags of this age are stale. */
    seen(ageMs: number): boolean {
      const isStale = ageMs > staleMs;
      if (isStale && state === 'good') events.emit(ProviderEvents.Stale, { message: `flags are ${ageMs} ms old` });
      if (!isStale && state === 'stale') events.emit(ProviderEvents.Ready);
      state = isStale ? 'stale' : 'good';
      return isStale;
    },
    missed(): void {
      state = 'missing';
    },
    arrived(): void {
      if (state === 'missing') events.emit(ProviderEvents.Ready);
      state = 'good';
    },
  };
}

/** Null for the first flags. */
function changedFlags(before: FlagDocument | null, after: FlagDocument): string[] | null {
  if (before === null) return null;
  const isSystemChanged = canonicalJson(before.system) !== canonicalJson(after.system);
  return Object.entries(after.cutovers)
    .filter(([name, flag]) => isSystemChanged || canonicalJson(before.cutovers[name] ?? null) !== canonicalJson(flag))
    .map(([name]) => name);
}

/** What is of another type than a routing request takes is left out. */
function requestOf({ targetingKey, groups, environment, operation }: EvaluationContext): RouteRequest {
  return {
    key: targetingKey,
    ...(Array.isArray(groups) ? { groups: groups.filter((group) => typeof group === 'string') } : {}),
    ...(typeof environment === 'string' ? { environment } : {}),
    ...(typeof operation === 'string' ? { operation } : {}),
  };
}

function metadataOf({ reason, stage, version, ageMs }: ClientRoute) {
  return { reason, version, ageMs: Math.round(ageMs ?? 0), ...(stage === null ? {} : { stage }) };
}

function failed<T>(value: T, errorCode: ErrorCode, errorMessage: string): ResolutionDetails<T> {
  return { value, reason: StandardResolutionReasons.ERROR, errorCode, errorMessage };
}

const NO_SUCH_TYPE = 'A cutover is a boolean (true: the new side) or the name of a side.';

/**
 * An event that is called like a cutover is the outcome of an operation: `latencyMs` (or the event's value), `success`
 * (default true), `operation`, and `side` where it is not the one that the context is routed to. Others are not ours.
 */
function track(client: Client, cutover: string, context: EvaluationContext, details: TrackingEventDetails): void {
  const request = requestOf(context);
  const { side: routed, reason, slice } = client.route(cutover, request);
  if (reason === 'no_flags' || reason === 'unknown_cutover') return;
  const { latencyMs = details.value, success = true, side = routed, operation = request.operation } = details;
  client.record({
    cutover,
    side: side as ClientRoute['side'],
    latencyMs: latencyMs as number,
    success: success !== false,
    keyless: !request.key,
    slice,
    left: reason === 'circuit_open' && side === 'primary',
    ...(typeof operation === 'string' ? { operation } : {}),
  });
}
