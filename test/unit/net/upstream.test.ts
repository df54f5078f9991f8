/** Addresses of upstreams: no path of a caller leads to another host or above the configured base. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { targetUrl } from '../../../lib/adapters/http/upstream.ts';
import { isPathBelow, splitAddress } from '../../../lib/core/cutover/write-target.ts';
import { codeOf } from '../../property/samples.ts';

const BASE = 'https://old.test/api';
const target = (path: string, query = '') => targetUrl(BASE, path, query).href;

describe('an address', () => {
  it.each([
    ['chat', '', 'https://old.test/api/chat'],
    ['chat/', '', 'https://old.test/api/chat/'],
    ['', '', 'https://old.test/api/'],
    ['chat/7', 'q=a%20b&q=c', 'https://old.test/api/chat/7?q=a%20b&q=c'],
    ['a/../b', '', 'https://old.test/api/b'],
    ['http://evil.test/x', '', 'https://old.test/api/http://evil.test/x'],
    ['//evil.test/x', '', 'https://old.test/api///evil.test/x'],
    ['@evil.test', '', 'https://old.test/api/@evil.test'],
    ['x?y#z', '', 'https://old.test/api/x%3Fy%23z'],
    ['x', '#frag', 'https://old.test/api/x?%23frag'],
    ['a;v=1/%c3%a9/%c0-%e0', '', 'https://old.test/api/a;v=1/%c3%a9/%c0-%e0'],
    ['a%20b', '', 'https://old.test/api/a%20b'],
  ])('of %j with query %j is %j', (path, query, expected) => {
    expect(target(path, query)).toBe(expected);
  });

  it.each([
    '..',
    '../admin',
    '../../etc/passwd',
    'a/../../admin',
    '%2e%2e/admin',
    '%2E%2E/admin',
    '.%2e/admin',
    '..%2fadmin',
    '..%2Fadmin',
    'a%2fb',
    '..\\admin',
    '..%5cadmin',
    'a%5Cb',
    'a%00b',
    '.\t./admin',
    '../api2/x',
    // As Tomcat reads it: what follows a semicolon is no part of the name.
    '..;/admin',
    'a/..;x=1/..;/admin',
    '%2e%2e;/admin',
    '..%3b/admin',
    // Decoded twice.
    '%252e%252e/admin',
    '%2500',
    // Overlong: a dot and a slash in two or three bytes.
    '%c0%ae%C0%AE/admin',
    '..%c0%afadmin',
    '%e0%80%ae%e0%80%ae/admin',
    '%f0%80%80%ae/admin',
    '..%c1%9cadmin',
    '%25c0%25ae%25c0%25ae/admin',
  ])('%j is refused', (path) => {
    expect(codeOf(() => target(path))).toBe('invalid_input');
  });

  it('of any path at all stays on the host and below the base, or is refused', () => {
    const piece = fc.constantFrom(
      '..',
      '.',
      '/',
      '\\',
      '//',
      '%2e',
      '%2f',
      '%5c',
      '%00',
      '@',
      ':',
      '?',
      '#',
      'http://evil.test',
      'evil.test',
      '\t',
      '\n',
      '\0',
      ' ',
      '%',
      'é',
      'a',
    );
    const path = fc.oneof(
      fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
      fc.string({ unit: 'binary' }),
      fc.webUrl(),
    );
    const base = fc.constantFrom(
      'https://old.test/api',
      'https://old.test/api/',
      'https://old.test',
      'http://127.0.0.1:8080/deep/er/',
    );
    fc.assert(
      fc.property(base, path, fc.string({ unit: 'binary' }), (baseUrl, asked, query) => {
        const configured = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
        let url: URL;
        try {
          url = targetUrl(baseUrl, asked, query);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_input' });
          return;
        }
        const again = new URL(url.href);
        expect(again.origin).toBe(configured.origin);
        expect(again.username + again.password + again.hash).toBe('');
        expect(again.pathname.startsWith(configured.pathname)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it('stays below the base for any server, however often it decodes and whatever it takes for a slash', () => {
    const piece = fc.constantFrom(
      '..',
      '.',
      '/',
      '%2f',
      '%2F',
      '%5c',
      '%252f',
      '%2e',
      '%252e',
      ';x',
      '\\',
      'a',
      '%00',
      '%c3',
    );
    const path = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
    let taken = 0;
    fc.assert(
      fc.property(path, fc.boolean(), (asked, encodedSlashes) => {
        let url: URL;
        try {
          url = targetUrl(BASE, asked, '', encodedSlashes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_input' });
          return;
        }
        if (/%2f|%5c/i.test(asked)) taken += 1;
        for (let read = url.pathname, round = 0; round < 4; round += 1) {
          let depth = 0;
          for (const segment of read.split(/[/\\]/).slice(2)) {
            const name = segment.split(';')[0]!;
            depth += name === '..' ? -1 : name === '.' || name === '' ? 0 : 1;
            expect(depth).toBeGreaterThanOrEqual(0);
          }
          read = read.replaceAll(/%(2f|5c|2e|25)/gi, (text) => decodeURIComponent(text));
        }
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it('negative control: resolving the path as a link does leave the host', () => {
    expect(new URL('//evil.test/x', BASE).host).toBe('evil.test');
  });
});

describe('a path of a recorded write', () => {
  const part = fc.constantFrom(
    '..',
    '.',
    '/',
    '\\',
    '%2e',
    '%2f',
    '%5c',
    '%00',
    '%zz',
    '%',
    'a',
    'é',
    '?',
    '#',
    ':',
    '@',
    ';',
    '%25',
    '%c0%ae',
  );
  const path = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''));

  it('that is taken is one that can be delivered, below the base and as it was written', () => {
    fc.assert(
      fc.property(path, (text) => {
        if (isPathBelow(text)) expect(target(text)).toBe(`${BASE}/${text}`);
      }),
    );
    expect(['users/7', '', 'a.b/c%20d', '..', 'a/%2e%2e', '/a', 'a\\b', 'a?b', '%'].map(isPathBelow)).toEqual([
      true,
      true,
      true,
      ...Array.from({ length: 6 }, () => false),
    ]);
  });

  it.each([
    'https://app.test',
    'https://app.test/',
    'https://app.test/a',
    'https://app.test/a/',
    'https://app.test/a/b',
  ])('the declared address %s is asked as it is', (url) => {
    const { base, path: last } = splitAddress(url);
    expect(targetUrl(base, last, '').href).toBe(new URL(url).href);
  });
});
