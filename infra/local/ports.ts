/** Eight ports in a row, so that one number moves the whole stack. */

import { createServer } from 'node:net';

export type LocalPorts = {
  front: number;
  api: number;
  lambda: number;
  dynamodb: number;
  appconfig: number;
  postgres: number;
  cloudwatch: number;
  stream: number;
};

export function portsFrom(base: number): LocalPorts {
  return {
    front: base,
    api: base + 1,
    lambda: base + 2,
    dynamodb: base + 3,
    appconfig: base + 4,
    postgres: base + 5,
    cloudwatch: base + 6,
    stream: base + 7,
  };
}

/** The ports that another program listens on, with what each is wanted for. */
export async function takenPorts(ports: LocalPorts): Promise<string[]> {
  const checks = Object.entries(ports).map(async ([name, port]) => ((await isFree(port)) ? null : `${port} (${name})`));
  return (await Promise.all(checks)).filter((taken) => taken !== null);
}

const FIRST_BASE = 3_100;
const LAST_BASE = 4_000;

/** The first of eight free ports in a row, beside those of a stack that is up. @throws Error when there are none */
export async function freeBase(): Promise<number> {
  for (let base = FIRST_BASE; base < LAST_BASE; base += 10)
    if ((await takenPorts(portsFrom(base))).length === 0) return base;
  throw new Error(`No eight ports in a row are free from ${FIRST_BASE} to ${LAST_BASE}. Name the first with --port.`);
}

/** @throws Error with the ports that another program listens on */
export async function demandFreePorts(ports: LocalPorts): Promise<void> {
  const taken = await takenPorts(ports);
  if (taken.length > 0) {
    throw new Error(
      `These ports are in use: ${taken.join(', ')}. Stop the program that listens there, or move the whole stack with --port (it uses eight ports in a row).`,
    );
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
