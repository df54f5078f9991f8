/**
 * The old service: users, conversations and the tasks that agents carry out for them, each a document. A conversation holds its messages.
 */

import { type Call, type Handle, type JsonServer, jsonServer, type Reply, refused } from './json-server.ts';

type Document = Record<string, unknown> & { id: string };
type Message = { id: string; text: string };

const COLLECTIONS = ['users', 'conversations', 'tasks'] as const;
type Collection = (typeof COLLECTIONS)[number];
const isCollection = (name: string | undefined): name is Collection => COLLECTIONS.includes(name as Collection);

/** @param port 0 for a free one */
export async function startLegacy(port = 0): Promise<JsonServer> {
  return jsonServer(legacy(), port);
}

function legacy(): Handle {
  const stores: Record<Collection, Map<string, Document>> = {
    users: new Map(),
    conversations: new Map(),
    tasks: new Map(),
  };
  return ({ method, path, body }: Call): Reply => {
    const [collection, id, part] = path;
    if (!isCollection(collection) || path.length > 3 || (part !== undefined && part !== 'messages'))
      return refused(404, 'There is no such resource.');
    const store = stores[collection];
    if (id === undefined)
      return method === 'GET' ? { status: 200, body: { items: sorted(store) } } : refused(405, 'Name one by its id.');
    if (part) return method === 'POST' ? say(store, id, body) : refused(405, 'Messages are only added.');
    return one(store, collection, { method, id, body });
  };
}

const sorted = (store: ReadonlyMap<string, Document>) => [...store.values()].sort((a, b) => (a.id < b.id ? -1 : 1));

function one(
  store: Map<string, Document>,
  collection: Collection,
  { method, id, body }: { method: string; id: string; body: Record<string, unknown> },
): Reply {
  const found = store.get(id);
  const keep = (status: number, document: Document) => {
    store.set(id, document);
    return { status, body: document };
  };
  const made = () => ({ ...initial(collection), ...body, id, created_at: found?.created_at ?? now() });
  switch (method) {
    case 'GET':
    case 'HEAD':
      return found ? { status: 200, body: found } : refused(404, `There is no '${id}'.`);
    case 'PUT':
      return keep(found ? 200 : 201, made());
    case 'POST':
      return found ? refused(409, `'${id}' is there already.`) : keep(201, made());
    case 'PATCH':
      return found ? keep(200, { ...found, ...body, id }) : refused(404, `There is no '${id}'.`);
    case 'DELETE':
      store.delete(id);
      return { status: 204 };
    default:
      return refused(405, `${method} is not served here.`);
  }
}

function say(store: Map<string, Document>, id: string, body: Record<string, unknown>): Reply {
  const found = store.get(id);
  if (!found) return refused(404, `There is no '${id}'.`);
  const message = { id: String(body.id), text: String(body.text) };
  const messages = found.messages as Message[];
  if (messages.some((said) => said.id === message.id)) return { status: 200, body: message };
  store.set(id, { ...found, messages: [...messages, message] });
  return { status: 201, body: message };
}

function initial(collection: Collection): Record<string, unknown> {
  if (collection === 'users') return { plan: 'free' };
  return collection === 'conversations' ? { messages: [] } : { status: 'queued', priority: 0 };
}

const now = () => new Date().toISOString();
