/**
 * gateway: a chat and orchestration service (users, conversations, tasks) moves to its replacement behind the HTTP gateway.
 *
 *   dual_write   every POST, PUT, PATCH, DELETE is forwarded to the new one; what was there before is loaded (stores.ts)
 *   10 → 50 → 100 %   reads go to the new one by correlation id; one in twenty is asked of both and compared
 *   completed    the new one is written, and writes are forwarded to the old one, so that rolling back loses nothing
 *   cleaned      dual writes are off; the old one can be switched off
 *
 * What the services promise, and must: ids come from the caller, a write that comes again with its `Idempotency-Key` is
 * answered like the first time, and deleting what is not there is no error. The path of a write begins with the resource
 * (`tasks/7`), so that whatever happens to one resource is forwarded in its order. A replacement that was rolled back has
 * missed what came after: empty it before the next start.
 */

import { type CutoverInput, defineCutovers } from '../../../lib/define/cutovers.ts';

const DAY = 24 * 60;

type Service = Extract<CutoverInput, { kind: 'service' }>;

/** @param change what is different elsewhere, in a test for instance */
export const chatCutover = (upstreams: Service['upstreams'], change: Partial<Service> = {}): Service => ({
  id: 'chat',
  kind: 'service',
  plan: 'gateway',
  dwellMinutes: DAY,
  upstreams,
  gateway: {
    idempotencyKeys: true,
    orderSegments: 2,
    // Each service keeps its own time of creation.
    compare: { sampleRate: 0.05, ignore: ['**.created_at'] },
  },
  ...change,
});

/** Where `programs.ts serve` serves them. */
export const UPSTREAMS = { primary: 'http://127.0.0.1:4101', shadow: 'http://127.0.0.1:4102' };

export default defineCutovers([chatCutover(UPSTREAMS)]);
