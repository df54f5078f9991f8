/** The scripts are run by the shells that are there, as a person's shell would run them. */

import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { cli } from '../../helpers/fake-api.ts';

const script = async (shell: string) => (await cli(['completion', shell])).out;

/** What bash offers for the last of these words. */
async function offered(...words: string[]): Promise<string[]> {
  const asked = `${await script('bash')}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_crossfade
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', asked, 'bash', 'crossfade', ...words], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean);
}

describe('completion', () => {
  it('offers commands, their options, and the values of an option', async () => {
    expect(await offered('sta')).toEqual(['status', 'start']);
    expect(await offered('status', 'customer', '--wa')).toEqual(['--watch', '--wait']);
    expect(await offered('status', 'customer', '--j')).toEqual(['--json']);
    expect(await offered('export', 'customer', '--format', 'c')).toEqual(['csv']);
    expect(await offered('nothing', '--')).toEqual([]);
  });

  it.each(['bash', 'zsh', 'fish'])('is code that %s can read, where it is installed', async (shell) => {
    const text = await script(shell);
    expect(text).toContain('crossfade');
    const { error, stderr, status } = spawnSync(shell, ['-n'], { input: text, encoding: 'utf8' });
    if (!error) expect([status, stderr]).toEqual([0, '']);
  });

  it('refuses another shell with the ones that it knows', async () => {
    expect(await cli(['completion', 'powershell'])).toMatchObject({
      exit: 2,
      err: expect.stringMatching(/bash,\s+zsh,\s+fish/),
    });
  });
});
