/** Whatever a message, a hint or an example advises can be typed as it stands: the program itself reads every one. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { advisedBySource, advisedIn, refusedForm } from '../../helpers/advised-commands.ts';
import { ROOT, readSources } from '../../helpers/imports.ts';

/** What is generated into pages is looked at there. */
const ADVISED = readSources(['lib', 'functions', 'infra'])
  .filter(({ file }) => !file.startsWith('infra/docs/'))
  .flatMap(advisedBySource);
const EXAMPLES = join(ROOT, 'infra/docs/examples');
/** In quotes, in what commands have printed, with its lines put together again. */
const PRINTED = readdirSync(EXAMPLES).flatMap((file) => {
  const text = readFileSync(join(EXAMPLES, file), 'utf8').replaceAll(/\n {2,}/g, ' ');
  return (text.match(/'(?:npx --no-install )?crossfade (?:[^']|(?<=--reason )'[^']*')*'/g) ?? []).flatMap((quoted) =>
    advisedIn(quoted).map((command) => ({ where: file, command })),
  );
});

const refusals = (advised: typeof ADVISED) =>
  advised.flatMap(({ where, command }) => {
    const why = refusedForm(command);
    return why === null ? [] : [`${where}: crossfade ${command}: ${why}`];
  });

describe('a command that is advised', () => {
  it('by a message of the sources is one that the program takes', () => {
    expect(ADVISED.length).toBeGreaterThan(70);
    expect(refusals(ADVISED)).toEqual([]);
  });
  it('by what commands print is one, too', () => {
    expect(PRINTED.length).toBeGreaterThan(3);
    expect(refusals(PRINTED)).toEqual([]);
  });

  it.each([
    ["'crossfade writes on'", 'writes on', '--reason'],
    ["See 'crossfade reads primary …'.", 'reads primary …', '--reason'],
    ["`crossfade rollback … --reson '…'`", "rollback … --reson '…'", '--reason'],
    ['Go on: crossfade advance … --forse, then look', 'advance … --forse', '--forse'],
    ["'crossfade phase … extend --minutes soon'", 'phase … extend --minutes soon', '--minutes'],
  ])('is found in %s and refused', (text, command, why) => {
    const source = { file: 'lib/x.ts', text: `const said = ${JSON.stringify(text)};` };
    expect(
      advisedBySource(source).concat(advisedIn(text).map((one) => ({ where: '', command: one })))[0]?.command,
    ).toBe(command);
    expect(refusedForm(command)).toContain(why);
  });
});
