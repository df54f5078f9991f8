import { describe, expect, it } from 'vitest';
import { bucketOf } from '../../../lib/core/routing/routing.ts';
import { cli } from '../../helpers/fake-api.ts';

async function* chunks(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
}

const lines = (out: string) =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('crossfade bucket', () => {
  it('gives the murmur3 of the UTF-8 bytes of salt:key, which is the bucket', async () => {
    expect((await cli(['bucket', '--salt', 's', '--key', 'k'])).out).toBe(`${bucketOf('s', 'k')}\n`);
    const { exit, out } = await cli(['bucket', '--salt', 'customer', '--key', 'Ünïcode 漢字 🙂', '--json']);
    expect(exit).toBe(0);
    const hash = bucketOf('customer', 'Ünïcode 漢字 🙂');
    expect(JSON.parse(out)).toEqual({ salt: 'customer', key: 'Ünïcode 漢字 🙂', hash, bucket: hash });
  });

  it('reads JSON lines and answers each in order, whatever the chunks and the letters', async () => {
    const input = [
      { salt: 's', key: 'a' },
      { salt: 's', key: 'Zoë 漢字 🙂' },
      { salt: '', key: '' },
      { salt: 's', key: 'line\u2028separator' },
      { salt: 's', key: 'quote " backslash \\ newline \n' },
    ];
    const bytes = Buffer.from(`${input.map((line) => JSON.stringify(line)).join('\r\n')}\n\n`);
    // One byte per chunk: letters of several bytes are cut in the middle.
    const stdin = chunks(...[...bytes].map((byte) => Uint8Array.of(byte)));
    const { exit, out } = await cli(['bucket', '--json'], { stdin });
    expect(exit).toBe(0);
    expect(lines(out)).toEqual(
      input.map(({ salt, key }) => ({ salt, key, hash: bucketOf(salt, key), bucket: bucketOf(salt, key) })),
    );
  });

  it('answers 20,000 lines without a last line feed', async () => {
    const text = Array.from({ length: 20_000 }, (_, i) => `{"salt":"s","key":"user-${i}"}`).join('\n');
    const { exit, out } = await cli(['bucket', '--json'], { stdin: chunks(text) });
    expect(exit).toBe(0);
    expect(lines(out)).toHaveLength(20_000);
    expect(lines(out).at(-1)).toMatchObject({ key: 'user-19999', bucket: bucketOf('s', 'user-19999') });
  });

  it.each([
    ['{"salt":"s","key":', /Line 2 of standard input is not JSON/],
    ['{"salt":"s","key":5}', /Line 2 of standard input needs "salt" and "key" as text/],
    ['{"salt":"s"}', /Line 2/],
    ['null', /Line 2/],
    [Uint8Array.of(0x22, 0xff, 0x22), /Line 2 of standard input is not UTF-8/],
  ])('names the line that is malformed and ends with 2: %s', async (bad, message) => {
    const { exit, out, err } = await cli(['bucket', '--json'], {
      stdin: chunks('{"salt":"s","key":"a"}\n', bad, '\n'),
    });
    expect({ exit, err }).toEqual({ exit: 2, err: '' });
    const [first, second] = lines(out);
    expect(first).toMatchObject({ key: 'a' });
    expect(second.error).toMatchObject({ code: 'invalid_input', detail: expect.stringMatching(message) });
  });

  it.each([[['bucket']], [['bucket', '--salt', 's']], [['bucket', '--key', 'k', '--json']]])(
    '%j is a usage error',
    async (words) => {
      expect((await cli(words)).exit).toBe(2);
    },
  );
});
