/**
 * What is typed at the example, beside `crossfade`: `jiti programs.ts serve | work | load | compare`. The last three may be
 * repeated at any time.
 */

import { loadEnvFile } from 'node:process';
import { UPSTREAMS } from './cutovers.ts';
import { startLegacy } from './legacy.ts';
import { startReplacement } from './replacement.ts';
import { compareStores, loadReplacement } from './stores.ts';

export type Places = {
  legacy: string;
  replacement: string;
  /** Up to `/gateway`, and a token with the scope `gateway:call`. */
  gateway: () => { url: string; token: string };
};

const VISITORS = 10;
const READS_EACH = 3;

/** @returns what is printed; each throws where something was not answered as it should be */
export const PROGRAMS: Readonly<Record<string, (places: Places) => Promise<string>>> = {
  async work({ gateway }) {
    const { url, token } = gateway();
    const answered: Record<string, number> = { primary: 0, shadow: 0 };
    for (let visitor = 0; visitor < VISITORS; visitor += 1) {
      const name = `visitor-${visitor}`;
      const headers = {
        authorization: `Bearer ${token}`,
        'x-correlation-id': name,
        'content-type': 'application/json',
      };
      const ask = async (init: RequestInit) => {
        const response = await fetch(`${url}/chat/users/${name}`, { ...init, headers });
        const text = await response.text();
        if (!response.ok) throw new Error(`${init.method} users/${name} was answered ${response.status}: ${text}`);
        return response.headers.get('x-crossfade-route') ?? 'nobody';
      };
      await ask({ method: 'PUT', body: JSON.stringify({ name, plan: 'team' }) });
      for (let read = 0; read < READS_EACH; read += 1) {
        const side = await ask({ method: 'GET' });
        answered[side] = (answered[side] ?? 0) + 1;
      }
    }
    const reads = Object.entries(answered).map(([side, count]) => `${count} by the ${side}`);
    return `${VISITORS} writes; reads answered ${reads.join(', ')}`;
  },
  async load({ legacy, replacement }) {
    return `${await loadReplacement(legacy, replacement)} loaded that the new service did not have`;
  },
  async compare({ legacy, replacement }) {
    const { onlyLegacy, onlyReplacement, compared } = await compareStores(legacy, replacement);
    return `${compared} compared, ${onlyLegacy.length} only in the old service, ${onlyReplacement.length} only in the new one`;
  },
};

const portOf = (url: string) => Number(new URL(url).port);

/** Both services, until the program is ended. */
async function serve(): Promise<string> {
  await Promise.all([startLegacy(portOf(UPSTREAMS.primary)), startReplacement(portOf(UPSTREAMS.shadow))]);
  return `The old service is at ${UPSTREAMS.primary}, the new one at ${UPSTREAMS.shadow}. Ctrl-C ends both.`;
}

/** As `crossfade dev` has written it for applications. */
function gateway() {
  loadEnvFile('.crossfade/env');
  const { CROSSFADE_GATEWAY: url = '', CROSSFADE_TOKEN: token = '' } = process.env;
  return { url, token };
}

async function main(name = ''): Promise<void> {
  const run = name === 'serve' ? serve : PROGRAMS[name];
  if (!run) throw new Error(`'${name}' is none of: serve, ${Object.keys(PROGRAMS).join(', ')}.`);
  console.log(await run({ legacy: UPSTREAMS.primary, replacement: UPSTREAMS.shadow, gateway }));
}

if (/programs\.ts$/.test(process.argv[1] ?? '')) await main(process.argv[2]);
