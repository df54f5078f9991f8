/** What counts as a lost connection: failures made by real sockets and clients, and those that only look like them. */

import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { isConnectionDrop } from '../../../lib/core/gates/connection-drops.ts';

/** What a call to a server fails with that hangs up on every request; and, once it is gone, what nobody there says. */
async function fromSockets(call: (port: number) => Promise<unknown>): Promise<unknown[]> {
  const server = createServer((incoming) => incoming.socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const failure = () =>
    call(port).then(
      () => null,
      (error: unknown) => error,
    );
  const hungUp = await failure();
  server.close();
  await once(server, 'close');
  return [hungUp, await failure()];
}

const coded = (code: string, message = 'it failed') => Object.assign(new Error(message), { code });

describe('a lost connection', () => {
  it('is what fetch fails with when a server hangs up, and when none is there', async () => {
    const failures = await fromSockets((port) => fetch(`http://127.0.0.1:${port}/`));
    expect(failures.map((failure) => isConnectionDrop(failure))).toEqual([true, true]);
  });

  it('and what a request of node:http fails with', async () => {
    const failures = await fromSockets(async (port) => {
      const outgoing = request({ host: '127.0.0.1', port }).end();
      await once(outgoing, 'response');
    });
    expect(failures.map((failure) => isConnectionDrop(failure))).toEqual([true, true]);
  });

  it.each([
    'ECONNRESET',
    'ECONNREFUSED',
    'EPIPE',
    '08006',
    '08P01',
    '57P01',
    '57P02',
    '57P03',
    'CONNECTION_CLOSED',
    'CONNECTION_ENDED',
  ])('is the code %s, also as the cause of another failure', (code) => {
    expect(isConnectionDrop(coded(code))).toBe(true);
    expect(isConnectionDrop(new Error('not saved', { cause: new Error('no answer', { cause: coded(code) }) }))).toBe(
      true,
    );
  });

  it.each([new Error('socket hang up'), new Error('Connection terminated unexpectedly')])('is %s', (error) => {
    expect(isConnectionDrop(error)).toBe(true);
  });

  it.each([
    coded('ECONNABORTED', 'timeout of 1000 ms exceeded'),
    coded('ETIMEDOUT'),
    coded('23505'),
    coded('57014'),
    coded('57P04'),
    coded('0800'),
    new DOMException('late', 'TimeoutError'),
    null,
    undefined,
    '08006',
    { code: Symbol('08006') },
  ])('is not %s', (error) => {
    expect(isConnectionDrop(error)).toBe(false);
  });

  it('is not looked for without end, nor where looking fails', () => {
    const circular = new Error('again') as Error & { cause: unknown };
    circular.cause = circular;
    expect(isConnectionDrop(circular)).toBe(false);
    const hostile = Object.defineProperty({}, 'code', {
      get: () => {
        throw new Error('no');
      },
    });
    expect(isConnectionDrop(hostile)).toBe(false);
  });
});
