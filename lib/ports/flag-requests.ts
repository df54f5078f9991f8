/**
 * The way from functions beside the database, which have no way to AppConfig, to the publisher outside of that network. They ask for
 * a publication; the publisher answers, and writes down what is deployed. Both through the state table.
 */

import type { FlagDocument } from '../core/routing/flags.ts';
import type { FlagPublisher } from './flags.ts';

/** Something that a flow wants published, once it has prepared Postgres for it. */
export type FlagRequest = {
  id: string;
  document: FlagDocument;
  /** It may interrupt another deployment. */
  urgent: boolean;
  /** Real epoch milliseconds: from then on the caller waits no more, and asks again with the next tick. */
  untilMs: number;
};

export type FlagAnswer = Awaited<ReturnType<FlagPublisher['publish']>> | { kind: 'too_large'; why: string };

/** What was deployed at a moment, in real epoch milliseconds. */
export type FlagSighting = { document: FlagDocument | null; latestVersion: number; atMs: number };

/** The publisher's end. @throws CrossfadeError `store_unavailable`, `state_invalid` */
export type FlagRequests = {
  /** Consistent: not answered, and still waited for; oldest first. */
  open(): Promise<readonly FlagRequest[]>;
  answer(id: string, answer: FlagAnswer): Promise<void>;
  /** Writes down what is deployed, unless something newer is written down. */
  note(sighting: FlagSighting): Promise<void>;
};
