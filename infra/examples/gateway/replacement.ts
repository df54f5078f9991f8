/**
 * The new service: the same API on another model. Messages are rows of their own, a task is the list of the states it went
 * through, and what was deleted is remembered, so that loading the old documents can never undo a newer write:
 *
 *   read from the old service ─────────────→ load 'users/7' ─→ refused: 'users/7' was deleted meanwhile
 *                        DELETE users/7 ─→ is forwarded to here
 *
 * The other order is harmless, too: what was loaded is as new as the writes that are still to come, and ends as they say.
 */

import { type Call, type Handle, type JsonServer, jsonServer, type Reply, refused } from './json-server.ts';

type Fields = Record<string, unknown>;
type User = { fields: Fields; createdAt: string };
type Conversation = { fields: Fields; createdAt: string };
type Message = { conversation: string; id: string; text: string };
type Task = { fields: Fields; states: string[]; createdAt: string };

/** One kind of resource in the new model, seen as the documents of the API. */
type Model = {
  ids(): Iterable<string>;
  has(id: string): boolean;
  read(id: string): Fields;
  create(id: string, fields: Fields): void;
  change(id: string, fields: Fields): void;
  remove(id: string): void;
};

export type Replacement = JsonServer & {
  /** From then on every request is answered 500; false ends it. */
  fail(failing: boolean): void;
  /** Empties it, as before another attempt. */
  empty(): void;
};

/** @param port 0 for a free one */
export async function startReplacement(port = 0): Promise<Replacement> {
  let handle = replacement();
  let failing = false;
  const server = await jsonServer((call) => (failing ? refused(500, 'Out of order.') : handle(call)), port);
  return {
    ...server,
    fail: (value) => {
      failing = value;
    },
    empty: () => {
      handle = replacement();
    },
  };
}

function replacement(): Handle {
  const messages: Message[] = [];
  const models: Record<string, Model> = { users: users(), conversations: conversations(messages), tasks: tasks() };
  /** Whatever was ever written or deleted. */
  const touched = new Set<string>();
  return ({ method, path, body }: Call): Reply => {
    const loading = path[0] === 'load';
    const [collection = '', id, part] = loading ? path.slice(1) : path;
    const model = Object.hasOwn(models, collection) ? models[collection]! : null;
    if (!model || (part !== undefined && part !== 'messages')) return refused(404, 'There is no such resource.');
    if (id === undefined)
      return method === 'GET' ? { status: 200, body: { items: all(model) } } : refused(405, 'Name one by its id.');
    const name = `${collection}/${id}`;
    if (loading) return load(model, id, body, touched.has(name));
    if (part) return method === 'POST' ? say(messages, model, id, body) : refused(405, 'Messages are only added.');
    const reply = one(model, { method, id, body, known: touched.has(name) });
    if (method !== 'GET' && reply.status < 300) touched.add(name);
    return reply;
  };
}

const all = (model: Model) => [...model.ids()].sort().map((id) => model.read(id));

function load(model: Model, id: string, document: Fields, known: boolean): Reply {
  if (known || model.has(id)) return { status: 200, body: { loaded: false } };
  model.create(id, document);
  return { status: 201, body: { loaded: true } };
}

function one(
  model: Model,
  { method, id, body, known }: { method: string; id: string; body: Fields; known: boolean },
): Reply {
  const there = model.has(id);
  const keep = () => {
    if (there) model.remove(id);
    model.create(id, body);
    return { status: there ? 200 : 201, body: model.read(id) };
  };
  switch (method) {
    case 'GET':
    case 'HEAD':
      return there ? { status: 200, body: model.read(id) } : refused(404, `There is no '${id}'.`);
    case 'PUT':
      return keep();
    case 'POST':
      // One that was only loaded: this is the forwarded write that made it, and later ones follow.
      return there && known ? refused(409, `'${id}' is there already.`) : keep();
    case 'PATCH':
      if (!there) return refused(404, `There is no '${id}'.`);
      model.change(id, body);
      return { status: 200, body: model.read(id) };
    case 'DELETE':
      model.remove(id);
      return { status: 204 };
    default:
      return refused(405, `${method} is not served here.`);
  }
}

function say(messages: Message[], model: Model, id: string, body: Fields): Reply {
  if (!model.has(id)) return refused(404, `There is no '${id}'.`);
  const message = { id: String(body.id), text: String(body.text) };
  if (messages.some((said) => said.conversation === id && said.id === message.id))
    return { status: 200, body: message };
  messages.push({ conversation: id, ...message });
  return { status: 201, body: message };
}

function users(): Model {
  const rows = new Map<string, User>();
  return {
    ids: () => rows.keys(),
    has: (id) => rows.has(id),
    read: (id) => ({ ...rows.get(id)!.fields, id, created_at: rows.get(id)!.createdAt }),
    create: (id, fields) => void rows.set(id, { fields: { plan: 'free', ...own(fields) }, createdAt: now() }),
    change: (id, fields) => Object.assign(rows.get(id)!.fields, own(fields)),
    remove: (id) => rows.delete(id),
  };
}

function conversations(messages: Message[]): Model {
  const rows = new Map<string, Conversation>();
  return {
    ids: () => rows.keys(),
    has: (id) => rows.has(id),
    read: (id) => ({
      ...rows.get(id)!.fields,
      id,
      created_at: rows.get(id)!.createdAt,
      messages: messages
        .filter(({ conversation }) => conversation === id)
        .map(({ id: said, text }) => ({ id: said, text })),
    }),
    create(id, { messages: said = [], ...fields }) {
      rows.set(id, { fields: own(fields), createdAt: now() });
      for (const message of said as Omit<Message, 'conversation'>[]) messages.push({ conversation: id, ...message });
    },
    change: (id, fields) => Object.assign(rows.get(id)!.fields, own(fields)),
    remove(id) {
      rows.delete(id);
      const others = messages.filter(({ conversation }) => conversation !== id);
      messages.splice(0, messages.length, ...others);
    },
  };
}

function tasks(): Model {
  const rows = new Map<string, Task>();
  return {
    ids: () => rows.keys(),
    has: (id) => rows.has(id),
    read: (id) => ({
      ...rows.get(id)!.fields,
      id,
      created_at: rows.get(id)!.createdAt,
      status: rows.get(id)!.states.at(-1),
    }),
    create(id, { status = 'queued', ...fields }) {
      rows.set(id, { fields: { priority: 0, ...own(fields) }, states: [String(status)], createdAt: now() });
    },
    change(id, { status, ...fields }) {
      const row = rows.get(id)!;
      Object.assign(row.fields, own(fields));
      if (status !== undefined && status !== row.states.at(-1)) row.states.push(String(status));
    },
    remove: (id) => rows.delete(id),
  };
}

/** Without what the service gives itself. */
function own({ id: _, created_at: __, ...fields }: Fields): Fields {
  return fields;
}

const now = () => new Date().toISOString();
