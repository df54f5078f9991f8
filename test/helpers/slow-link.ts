/** Stands between clients and a server on this machine, and holds each piece of what they say for as long as it is told to. */

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type SlowLink = {
  /** The address of the server, by the way of this link. */
  url: string;
  /** Milliseconds in each direction, from now on. */
  slow(delayMs: number): void;
  /** Pieces that were held so far. */
  held(): number;
  stop(): Promise<void>;
};

export async function slowLink(to: string): Promise<SlowLink> {
  const { port } = new URL(to);
  const sockets = new Set<Socket>();
  let delayMs = 0;
  let held = 0;

  /** In their order: what came later never leaves sooner, though it be held for less. */
  function carry(from: Socket, onto: Socket): void {
    let before = Promise.resolve();
    const after = (act: () => void) => {
      const isDue = delayMs > 0 ? new Promise((resolve) => setTimeout(resolve, delayMs)) : null;
      if (isDue) held += 1;
      before = Promise.all([before, isDue]).then(act);
    };
    from.on('data', (piece) => after(() => void onto.write(piece)));
    from.on('end', () => after(() => void onto.end()));
    // A server that dies is noticed at once, as on one machine.
    from.on('close', () => void onto.destroySoon());
    from.on('error', () => void onto.destroy());
  }

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = connect({ port: Number(port), host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    carry(near, far);
    carry(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(to);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: to.endsWith('/') ? url.href : url.href.replace(/\/$/, ''),
    slow: (ms) => {
      delayMs = ms;
    },
    held: () => held,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
