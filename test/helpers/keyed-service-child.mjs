/**
 * A service that knows its writes again by `Idempotency-Key`. What it has is a journal, written before it answers: SIGKILL takes
 * the answer and not the write. `GET /` says what it holds. With the word `forgetful` it carries out a key as often as it comes.
 */

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [journal, port, memory] = process.argv.slice(2);
/** Of each path: the keys that made it what it is. */
const values = new Map();
const applied = [];

function apply({ key, method, path }) {
  applied.push(key);
  if (method === 'DELETE') values.delete(path);
  else values.set(path, method === 'PUT' ? [key] : [...(values.get(path) ?? []), key]);
}

if (existsSync(journal)) {
  const lines = readFileSync(journal, 'utf8').split('\n').filter(Boolean);
  for (const line of lines) apply(JSON.parse(line));
}
const known = new Set(applied);

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    if (request.method === 'GET')
      return void response.end(JSON.stringify({ applied, values: Object.fromEntries([...values].sort()) }));
    const write = { key: request.headers['idempotency-key'], method: request.method, path: request.url };
    if (memory === 'forgetful' || !known.has(write.key)) {
      appendFileSync(journal, `${JSON.stringify(write)}\n`);
      known.add(write.key);
      apply(write);
    }
    response.writeHead(201).end();
  });
});
server.listen(Number(port), '127.0.0.1', () => process.connected && process.send(server.address().port));
// Without its parent there is nobody to work for.
process.on('disconnect', () => process.exit(0));
