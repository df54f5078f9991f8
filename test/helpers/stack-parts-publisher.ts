/**
 * The publisher beside what is tested, as Lambda runs it: woken by the stream of the state table, by the records that its filter lets
 * through. It can be away; what the stream brought meanwhile is lost, and only its schedule brings it back.
 */

import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { ALERTS, ANSWERED, ASKED, STATES, sightingKey } from '../../lib/adapters/dynamodb/keys.ts';
import type { Backing } from './stack-parts.ts';
import { type StreamRecord, streamMapping, streamReader } from './stack-parts-stream.ts';

export type RunningPublisher = {
  /** Away long enough for the functions to know. */
  leave(): Promise<void>;
  /** Back, with a look of its schedule. */
  comeBack(): Promise<void>;
  /** As its schedule has it look, once. */
  look(): Promise<unknown>;
  stop(): Promise<void>;
};

/** Its schedule, for one look. */
export const LOOK = { source: 'crossfade.local', maxMs: 1 };

type Invoke = (event: object) => Promise<unknown>;

/** @param invoke calls the function with an event */
export function startPublisher(on: Backing, invoke: Invoke): RunningPublisher {
  let isAway = false;
  const mapping = streamMapping(
    streamReader(on.endpoint, on.tables.state),
    async ({ Records }: { Records?: object[] }) => {
      const waking = (Records ?? []).filter(wakes);
      if (!isAway && waking.length > 0) await invoke({ Records: waking });
    },
  );
  return {
    async leave() {
      isAway = true;
      const Key = sightingKey();
      const old = {
        UpdateExpression: 'SET atMs = :old',
        ExpressionAttributeValues: { ':old': Date.now() - 3_600_000 },
      };
      await on.dynamodb.send(new UpdateCommand({ TableName: on.tables.state, Key, ...old }));
    },
    async comeBack() {
      isAway = false;
      await invoke(LOOK);
    },
    look: () => invoke(LOOK),
    stop: mapping.stop,
  };
}

/** By the filter of serverless.yml. */
function wakes(record: StreamRecord): boolean {
  const keys = record.dynamodb?.Keys as { pk?: { S?: string } } | undefined;
  return [STATES, ASKED, ALERTS].includes(keys?.pk?.S ?? ANSWERED);
}
