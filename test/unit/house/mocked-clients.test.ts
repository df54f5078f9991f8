/** Files of these tests share their modules: a class of the AWS SDK that one of them mocks must be put back, or it answers in others. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../helpers/imports.ts';

const leavesMocked = (text: string): boolean => /mockClient\(\w/.test(text) && !text.includes('.restore()');

describe('a mocked class of the AWS SDK', () => {
  it('is put back by the file that mocked it', () => {
    const files = ['unit', 'property', 'scenario'].flatMap((folder) =>
      readdirSync(join(ROOT, 'test', folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => join(folder, name)),
    );
    const mocking = files.filter((file) => leavesMocked(readFileSync(join(ROOT, 'test', file), 'utf8')));
    expect(files.length).toBeGreaterThan(200);
    expect(mocking).toEqual([]);
  });

  it('is noticed where it is not', () => {
    const mocked = ['const sns = mockClient', '(SNSClient);'].join('');
    expect([leavesMocked(mocked), leavesMocked(`${mocked} afterAll(() => sns.restore());`)]).toEqual([true, false]);
  });
});
