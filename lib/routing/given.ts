/** What sources and sinks are made with is looked at where they are made: a variable that is not set is named there. */

import { CrossfadeError } from '../core/base/errors.ts';

/** @param maker for the message: `agentSource`. @throws CrossfadeError `invalid_config` */
export function demandAddress(maker: string, url: unknown): void {
  if (typeof url !== 'string' || !URL.canParse(url)) throw unusable(maker, 'url', 'an address with its scheme', url);
}

/** @throws CrossfadeError `invalid_config` */
export function demandTexts(maker: string, texts: Readonly<Record<string, unknown>>): void {
  for (const [name, text] of Object.entries(texts))
    if (typeof text !== 'string' || text === '') throw unusable(maker, name, 'a text', text);
}

export const unusable = (maker: string, name: string, takes: string, given: unknown) =>
  new CrossfadeError(
    'invalid_config',
    `${maker} takes as ${name} ${takes}; it was given ${given === '' ? "''" : String(given).slice(0, 100)}.`,
  );
