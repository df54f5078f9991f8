/** A script that ends has sent what it recorded: Node says when nothing is left to do, and waits for what is begun then. */

import { host } from '../routing/host.ts';

type Sender = { flush(): Promise<void> };

const senders = new Set<Sender>();
let isListening = false;

/** It has nothing left to send: until it is said again it is not kept. */
export function hasSentAll(sender: Sender): void {
  senders.delete(sender);
}

/** Has `sender` send when the process has nothing else to do. Said again for what is recorded after that. */
export function sendAtExit(sender: Sender): void {
  senders.add(sender);
  if (isListening) return;
  isListening = true;
  host().on?.('beforeExit', () => {
    const all = [...senders];
    senders.clear();
    for (const one of all) void one.flush();
  });
}
