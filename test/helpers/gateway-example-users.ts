/**
 * People who use the chat service of the example, and what they may rely on: whatever was answered with success is there.
 * Each has users, conversations and tasks of their own and does one thing after the other, so that what must be there is
 * known without asking anybody.
 */

import { line } from '../../infra/examples/gateway/stores.ts';
import type { Answered, Example } from './gateway-example.ts';

type Item = Record<string, unknown> & { id: string };

export type SeenRead = { key: string; path: string; side: string; reason: string; status: number };
type SeenWrite = { method: string; path: string; side: string; forward: string; status: number };

export type Users = {
  /** So many requests of all of them together, three of four reads. */
  work(requests: number, only?: 'reads' | 'writes'): Promise<void>;
  /** Everything that must be there, as `contentOf` has it. */
  expected(): string[];
  /** What they saw since the last call. */
  seen(): { reads: SeenRead[]; writes: SeenWrite[] };
};

const CALLERS = 6;
const EACH = 3;
const READS = 0.75;
const COLLECTIONS = ['users', 'conversations', 'tasks'] as const;
type Collection = (typeof COLLECTIONS)[number];
const STATES = ['queued', 'running', 'done', 'failed'];

type Change = { method: string; path: string; body?: object; after: Item | null };

export function usersOf(example: Example, random: () => number): Users {
  const items = new Map<string, Item>();
  let reads: SeenRead[] = [];
  let writes: SeenWrite[] = [];
  let count = 0;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

  async function read(caller: string, name: string): Promise<void> {
    count += 1;
    const key = `visit-${count}`;
    const answer = await example.chat('GET', name, { key, caller });
    const { side, reason } = routeOf(answer);
    reads.push({ key, path: name, side, reason, status: answer.status });
  }

  async function write(caller: string, collection: Collection, id: string): Promise<void> {
    count += 1;
    const name = `${collection}/${id}`;
    const { method, path, body, after } = changeOf(collection, id, items.get(name), count, pick);
    const answer = await example.chat(method, path, { caller, body });
    const { side } = routeOf(answer);
    writes.push({
      method,
      path,
      side,
      forward: answer.headers.get('x-crossfade-forward') ?? '',
      status: answer.status,
    });
    if (answer.status >= 300) return;
    if (after) items.set(name, after);
    else items.delete(name);
  }

  return {
    async work(requests, only) {
      let left = requests;
      const one = async (_: unknown, caller: number) => {
        for (; left > 0; ) {
          left -= 1;
          const collection = pick(COLLECTIONS);
          const id = `${caller}-${Math.floor(random() * EACH)}`;
          const reading = only === undefined ? random() < READS : only === 'reads';
          await (reading ? read(`caller-${caller}`, `${collection}/${id}`) : write(`caller-${caller}`, collection, id));
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, one));
    },
    expected: () => [...items].map(([name, item]) => line(name.split('/')[0]!, item)).sort(),
    seen() {
      const since = { reads, writes };
      [reads, writes] = [[], []];
      return since;
    },
  };
}

const routeOf = ({ headers }: Answered) => ({
  side: headers.get('x-crossfade-route') ?? '',
  reason: headers.get('x-crossfade-reason') ?? '',
});

/** What is there is changed, seldom deleted; what is not there is made. */
function changeOf(
  collection: Collection,
  id: string,
  found: Item | undefined,
  count: number,
  pick: <T>(list: readonly T[]) => T,
): Change {
  const path = `${collection}/${id}`;
  if (found && count % 7 === 0) return { method: 'DELETE', path, after: null };
  const change = (method: string, body: object, base: object = {}): Change => {
    return { method, path, body, after: { ...base, ...body, id } };
  };
  switch (collection) {
    case 'users':
      if (!found || count % 3 === 0) return change('PUT', { name: `Ada ${count}` }, { plan: 'free' });
      return change('PATCH', { plan: pick(['free', 'team', 'größer 🙂']) }, found);
    case 'tasks':
      if (!found) return change('POST', { kind: 'summarise', input: `${count}` }, { status: 'queued', priority: 0 });
      return change('PATCH', { status: pick(STATES), priority: count }, found);
    default: {
      if (!found) return change('POST', { title: `Talk ${count}` }, { messages: [] });
      if (count % 5 === 0) return change('PATCH', { title: `Talk ${count}` }, found);
      const message = { id: `m-${count}`, text: `said ${count}` };
      const messages = [...(found.messages as object[]), message];
      return { method: 'POST', path: `${path}/messages`, body: message, after: { ...found, messages } };
    }
  }
}
