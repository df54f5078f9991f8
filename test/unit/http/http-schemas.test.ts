/** What HTTP callers may send: the rows of bad input, with their codes, and that none of them takes long. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../../lib/core/base/errors.ts';
import { readIdempotencyKey, readIfMatch } from '../../../lib/schemas/headers.ts';
import {
  COMMAND_NAMES,
  COMMANDS,
  type CommandName,
  outcomeReport,
  page,
  SYSTEM_COMMANDS,
} from '../../../lib/schemas/http.ts';
import { readJsonBody } from '../../../lib/schemas/json-body.ts';
import { findCutover } from '../../../lib/schemas/path.ts';
import { readRoutedCutover, routeBatch, routeQuery } from '../../../lib/schemas/route-request.ts';
import { cpuMs } from '../../helpers/cpu-time.ts';
import { codeOf, declarationOf } from '../../property/samples.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
type Sent = { body?: string; isBase64Encoded?: boolean; headers?: Record<string, string>; method?: string };
const sent = ({ body, isBase64Encoded, headers = JSON_TYPE, method = 'POST' }: Sent) =>
  readJsonBody({ body, isBase64Encoded, headers, requestContext: { http: { method } } });
const bodyCode = (request: Sent) => codeOf(() => sent(request));

/** The message of what `run` throws. */
function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

const parseCommand = (type: CommandName, body: unknown) => ({ type, ...COMMANDS[type].read(body) });
const parseSystemCommand = (name: keyof typeof SYSTEM_COMMANDS, body: unknown) => SYSTEM_COMMANDS[name].read(body);
/** As the path and the query of `GET /v1/route/{cutover}` bring it. */
const parseRouteRequest = ({ cutover, ...query }: Record<string, unknown>) => ({
  cutover: readRoutedCutover(cutover as string),
  ...routeQuery.read(query),
});

const DECLARATIONS = [declarationOf()];
const LONG = 'a'.repeat(50_000);
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('the body of a request', () => {
  it('row 7: may have 64 KB and not one byte more, in whatever form', () => {
    const ofBytes = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`;
    expect(bodyCode({ body: ofBytes(65_536) })).toBe('nothing');
    expect(bodyCode({ body: ofBytes(65_537) })).toBe('too_large');
    expect(bodyCode({ body: ofBytes(6_000_000) })).toBe('too_large');
    expect(bodyCode({ body: ofBytes(11_000_000) })).toBe('too_large');
    expect(bodyCode({ body: Buffer.from(ofBytes(65_537)).toString('base64'), isBase64Encoded: true })).toBe(
      'too_large',
    );
    expect(bodyCode({ body: `{"a":"${'é'.repeat(32_765)}"}` })).toBe('too_large');
  });

  it.each([
    ['is cut off', '{"a":'],
    ['begins with a byte-order mark', '\ufeff{}'],
    ['has a trailing comma', '{"a":1,}'],
    ['is empty', ''],
    ['has comments', '{} // fine'],
    ['has single quotes', "{'a':1}"],
    ['has two values', '{}{}'],
    ['has a number that is none', '{"a":NaN}'],
    ['is nested 17 deep', `{"a":${nested(16)}}`],
  ])('row 8: is no JSON when it %s', (_why, body) => {
    expect(bodyCode({ body })).toBe('invalid_json');
  });

  it('row 8: is no JSON when it claims to be base64, or UTF-8, and is not', () => {
    expect(bodyCode({ body: '{"reason":"x"}', isBase64Encoded: true })).toBe('invalid_json');
    const latin1 = Buffer.from('{"reason":"é"}', 'latin1').toString('base64');
    expect(bodyCode({ body: latin1, isBase64Encoded: true })).toBe('invalid_json');
    expect(bodyCode({ body: undefined })).toBe('invalid_json');
  });

  it.each(['null', '[]', '"text"', '1', 'true'])('row 9: must be an object, not %s', (body) => {
    expect(bodyCode({ body })).toBe('invalid_input');
  });

  it('row 10: nested 10,000 deep is refused before it is parsed', () => {
    const took = cpuMs(() => {
      expect(bodyCode({ body: `{"a":${nested(10_000)}}` })).toBe('invalid_json');
      expect(bodyCode({ body: '{"a":'.repeat(9_000) })).toBe('invalid_json');
    });
    expect(took).toBeLessThan(50);
    expect(bodyCode({ body: `{"a":${nested(15)}}` })).toBe('nothing');
    expect(bodyCode({ body: `{"a":"${'[{'.repeat(50)}\\"["}` })).toBe('nothing');
  });

  it('row 11: of two equal keys the last one wins', () => {
    expect(sent({ body: '{"reason":"a","reason":"b"}' })).toEqual({ reason: 'b' });
  });

  it('row 12: cannot reach the prototype of anything', () => {
    for (const body of ['{"__proto__":{"admin":true}}', '{"a":{"__proto__":null}}', '{"a":[{"__proto__":1}]}']) {
      expect(bodyCode({ body })).toBe('unknown_property');
    }
    const built = sent({ body: '{"constructor":{"prototype":{"admin":true}}}' });
    for (const name of COMMAND_NAMES) {
      expect(['unknown_property', 'invalid_input', 'confirm_required']).toContain(
        codeOf(() => parseCommand(name, built)),
      );
    }
    expect(codeOf(() => parseCommand('pause', built))).toBe('unknown_property');
    expect(codeOf(() => parseRouteRequest({ cutover: 'x', ...(built as object) }))).toBe('unknown_property');
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it('row 14: must be JSON by its Content-Type', () => {
    for (const type of [
      'text/plain',
      '',
      'application/jsonp',
      'multipart/form-data',
      'application/x-www-form-urlencoded',
    ]) {
      expect(bodyCode({ body: '{}', headers: { 'content-type': type } })).toBe('unsupported_media_type');
    }
    expect(bodyCode({ body: '{}', headers: {} })).toBe('unsupported_media_type');
    const json = { 'content-type': 'application/json' };
    for (const coding of ['gzip', 'br', 'gzip, identity'])
      expect(bodyCode({ body: '{}', headers: { ...json, 'content-encoding': coding } })).toBe('unsupported_media_type');
    expect(bodyCode({ body: '{}', headers: { ...json, 'content-encoding': 'identity' } })).toBe(
      bodyCode({ body: '{}', headers: json }),
    );
    expect(bodyCode({ body: '{}', headers: { 'content-type': 'Application/JSON; charset=utf-8' } })).toBe('nothing');
  });

  it('is not read where there is none', () => {
    expect(sent({ method: 'GET', headers: {}, body: 'whatever' })).toBeUndefined();
  });

  it('whatever the bytes are, it is an object or one of our refusals', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), fc.boolean(), (body, isBase64Encoded) => {
        const code = bodyCode({ body, isBase64Encoded });
        expect(['nothing', 'invalid_json', 'invalid_input', 'unknown_property']).toContain(code);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('commands', () => {
  it('are taken in their right form', () => {
    expect(parseCommand('start', { plan: 'canary', dwellMinutes: 5 })).toEqual({
      type: 'start',
      plan: 'canary',
      dwellMinutes: 5,
    });
    expect(parseCommand('advance', { force: true, reason: 'now' })).toEqual({
      type: 'advance',
      force: true,
      reason: 'now',
    });
    expect(parseCommand('complete', { confirm: 'customer' })).toEqual({ type: 'complete', confirm: 'customer' });
    expect(parseCommand('pause', {})).toEqual({ type: 'pause' });
    expect(parseSystemCommand('rollback', { confirm: 'system', reason: 'x' })).toEqual({
      confirm: 'system',
      reason: 'x',
    });
  });

  it.each([
    ['start', { dwelMinutes: 5 }, /dwelMinutes is not known here\. Did you mean 'dwellMinutes'\?/],
    ['start', { sql: 'DROP TABLE x' }, /sql is not known here/],
    ['advance', { froce: true }, /Did you mean 'force'/],
    ['rollback', { reason: 'x', table: 'public.users' }, /table is not known here/],
    ['complete', { confirm: 'customer', upstream: 'http://169.254.169.254' }, /upstream is not known here/],
  ] as const)('row 13: %s with %j is refused by name', (name, body, message) => {
    expect(codeOf(() => parseCommand(name, body))).toBe('unknown_property');
    expect(messageOf(() => parseCommand(name, body))).toMatch(message);
  });

  it('row 13: names every problem with its path, and an unknown property among others is only one of them', () => {
    const run = () => parseCommand('start', { plan: 'x', dwellMinutes: -1, sql: 1 });
    expect(codeOf(run)).toBe('invalid_input');
    expect(messageOf(run)).toMatch(/plan: .*dwellMinutes: .*sql is not known here/);
  });

  it.each([-1, 0, 0.5, 525_601, Number.POSITIVE_INFINITY, Number.NaN, '50', 2 ** 53, null, true, [5]])(
    'rows 15, 19: a dwell of %j minutes is refused',
    (dwellMinutes) => {
      expect(codeOf(() => parseCommand('start', { dwellMinutes }))).toBe('invalid_input');
    },
  );

  it('row 15: a number too large for JavaScript arrives as infinity and is refused', () => {
    const body = sent({ body: '{"dwellMinutes":1e309}' });
    expect(codeOf(() => parseCommand('start', body))).toBe('invalid_input');
  });

  it.each(['Gradual', 'gradual ', 'ｇradual', 'half_50', '', null, 1])('row 16: plan %j is none', (plan) => {
    expect(codeOf(() => parseCommand('start', { plan }))).toBe('invalid_input');
  });

  it('row 18: confirm must be there, for one cutover and for all', () => {
    for (const name of ['complete', 'cleanup', 'reset'] as const) {
      expect(codeOf(() => parseCommand(name, {}))).toBe('confirm_required');
      for (const confirm of [null, 1, true, 'a'.repeat(101)]) {
        expect(codeOf(() => parseCommand(name, { confirm }))).toBe('invalid_input');
      }
    }
    expect(codeOf(() => parseSystemCommand('reset', {}))).toBe('confirm_required');
    expect(codeOf(() => parseSystemCommand('rollback', { reason: 'x' }))).toBe('confirm_required');
  });

  it('row 18: a reason is text of 1 to 1,000 characters', () => {
    for (const reason of [undefined, '', 'x'.repeat(1_001), 5, null]) {
      expect(codeOf(() => parseCommand('rollback', { reason }))).toBe('invalid_input');
      expect(codeOf(() => parseSystemCommand('emergency-stop', { reason }))).toBe('invalid_input');
    }
    expect(codeOf(() => parseCommand('rollback', { reason: 'x'.repeat(1_000) }))).toBe('nothing');
  });

  it.each(['half \ud800', '\udc00', 'nul \0'])('rows 25, 26: the reason %j is refused', (reason) => {
    expect(codeOf(() => parseCommand('rollback', { reason }))).toBe('invalid_input');
    expect(codeOf(() => parseCommand('advance', { force: true, reason }))).toBe('invalid_input');
  });

  it('row 39: markup in a reason is text like any other', () => {
    const reason = "<script>alert(1)</script>\" onmouseover='x' \u001b[31m\r\n";
    expect(parseCommand('rollback', { reason })).toEqual({ type: 'rollback', reason });
  });
});

describe('row 17: the id of a cutover', () => {
  it.each(['../x', '%2e%2e%2f', '', 'a'.repeat(300), 'x\0', '😀', '\u200fx', 'Customer', 'customer\n', undefined])(
    '%j is none',
    (id) => {
      expect(codeOf(() => findCutover(DECLARATIONS, id))).toBe('invalid_identifier');
    },
  );

  it('that is well formed and unknown is not found, and the nearest is suggested', () => {
    expect(codeOf(() => findCutover(DECLARATIONS, 'custmer'))).toBe('not_found');
    expect(messageOf(() => findCutover(DECLARATIONS, 'custmer'))).toContain("Did you mean 'customer'?");
    expect(codeOf(() => findCutover(DECLARATIONS, 'constructor'))).toBe('not_found');
    expect(findCutover(DECLARATIONS, 'customer')).toBe(DECLARATIONS[0]);
  });
});

describe('headers', () => {
  it.each([undefined, '', 'k'.repeat(10_240), 'k'.repeat(201), 'with space', 'tab\t', 'nul\0', 'ünï', 'a\r\nb'])(
    'row 53: the Idempotency-Key %j is refused',
    (key) => {
      expect(codeOf(() => readIdempotencyKey(key))).toBe('invalid_input');
    },
  );

  it('row 53: any 1 to 200 printable characters are a key', () => {
    expect(readIdempotencyKey('k')).toBe('k');
    expect(readIdempotencyKey('~!'.repeat(100))).toBe('~!'.repeat(100));
  });

  it.each(['*', 'W/"1"', '"1", "2"', '"1","2"', '1', '""', '"-1"', '"1.0"', '"x"', '"9999999999999999"', ' "1"', ''])(
    'row 54: If-Match %j is refused',
    (value) => {
      expect(codeOf(() => readIfMatch(value))).toBe('invalid_input');
    },
  );

  it('row 54: If-Match is needed and is the version in quotes', () => {
    expect(codeOf(() => readIfMatch(undefined))).toBe('precondition_required');
    expect(ERROR_CODES.precondition_required.status).toBe(428);
    expect(readIfMatch('"0"')).toBe(0);
    expect(readIfMatch('"12"')).toBe(12);
  });
});

describe('outcomes', () => {
  const WINDOW = {
    cutover: 'customer',
    operation: 'read',
    minute: 29_473_920,
    side: 'shadow',
    count: 2,
    errors: 1,
    keyless: 0,
    latency: { '148': 2 },
    checks: 0,
    mismatches: 0,
  };
  const report = (over: object = {}, rest: object = {}) => ({
    flushId: 'f',
    source: 's',
    windows: [{ ...WINDOW, ...over }],
    ...rest,
  });
  const code = (body: unknown) => codeOf(() => outcomeReport.read(body));

  it('are taken as the SDK sends them', () => {
    expect(outcomeReport.read(report())).toEqual(report());
    expect(outcomeReport.read(report({ slice: 7 }))).toEqual(report({ slice: 7 }));
  });

  it.each([
    { count: -1 },
    { count: 1.5 },
    { count: Number.NaN },
    { count: Number.POSITIVE_INFINITY },
    { count: 1e10 },
    { count: '2' },
    { errors: -1 },
    { slice: -1 },
    { slice: 8 },
    { slice: 0.5 },
    { slice: null },
    { slice: '1' },
    { side: 'both' },
    { side: 'Shadow' },
    { minute: -1 },
    { minute: 1.5 },
    { latency: { '1e12': 1 } },
    { latency: { '9999': 1 } },
    { latency: { '-9999': 1 } },
    { latency: { '007': 1 } },
    { latency: { '-0': 1 } },
    { latency: { '1': -1 } },
    { latency: { '1': Number.NaN } },
    { latency: [1] },
    { latency: { key: 1 } },
    { operation: 'DROP TABLE' },
    { operation: '' },
    { operation: 'x'.repeat(41) },
    { cutover: 'x'.repeat(65) },
  ])('row 59: %j is refused', (over) => {
    expect(code(report(over))).toBe('invalid_input');
  });

  it('row 62: more than a thousand windows are too many, and the answer is 413', () => {
    const many = (n: number) => ({ ...report(), windows: Array(n).fill(WINDOW) });
    expect(code(many(1_000))).toBe('nothing');
    expect(code(many(1_001))).toBe('too_large');
    expect(code(many(10_001))).toBe('too_large');
    expect(ERROR_CODES.too_large.status).toBe(413);
  });

  it('row 13: an unknown property in a window is named with its place', () => {
    expect(code(report({ mismatch: 1 }))).toBe('unknown_property');
    expect(messageOf(() => outcomeReport.read(report({ mismatch: 1 })))).toMatch(/windows\.0\.mismatch .*'mismatches'/);
  });

  it('without flush, source or windows are refused', () => {
    for (const rest of [
      { flushId: '' },
      { flushId: 'x'.repeat(101) },
      { source: 'with space' },
      { windows: null },
      { windows: {} },
    ]) {
      expect(code(report({}, rest))).toBe('invalid_input');
    }
    expect(code({})).toBe('invalid_input');
  });
});

describe('routing requests', () => {
  it('are taken alone and in a batch', () => {
    const request = {
      cutover: 'customer',
      key: '😀 $1 \\ \' "\n',
      operation: 'read',
      groups: ['beta'],
      environment: 'ci',
    };
    expect(parseRouteRequest({ ...request, groups: 'beta' })).toEqual(request);
    expect(routeBatch.read({ requests: [request] })).toEqual([request]);
  });

  it.each([
    { key: 'nul\0' },
    { key: '\ud800' },
    { key: '' },
    { key: 'k'.repeat(1_025) },
    { key: 5 },
    { cutover: '../x' },
    { cutover: undefined },
    { operation: 'DROP' },
    { groups: Array(51).fill('x') },
    { groups: ['\ud800'] },
    { environment: 'x'.repeat(101) },
  ])('rows 25, 26: %j is refused', (over) => {
    const { groups, ...rest } = over as { groups?: string[] };
    const asQuery = { ...rest, ...(groups ? { groups: groups.join(',') } : {}) };
    expect(codeOf(() => parseRouteRequest({ cutover: 'customer', ...asQuery }))).toBe('invalid_input');
    expect(codeOf(() => routeBatch.read({ requests: [{ cutover: 'customer', ...over }] }))).toBe('invalid_input');
  });

  it('row 26: groups of a batch are a list', () => {
    const requests = [{ cutover: 'customer', groups: 'beta' }];
    expect(codeOf(() => routeBatch.read({ requests }))).toBe('invalid_input');
  });

  it('a query names no other cutover than its path', () => {
    expect(codeOf(() => routeQuery.read({ cutover: 'other' }))).toBe('unknown_property');
  });

  it('a batch has 1 to 1,000 requests and nothing else', () => {
    const batch = (n: number) => ({ requests: Array(n).fill({ cutover: 'customer' }) });
    expect(codeOf(() => routeBatch.read(batch(1_000)))).toBe('nothing');
    for (const body of [batch(0), batch(1_001), {}, { requests: null }, { requests: [null] }]) {
      expect(codeOf(() => routeBatch.read(body))).toBe('invalid_input');
    }
    expect(codeOf(() => routeBatch.read({ ...batch(1), salt: 'x' }))).toBe('unknown_property');
  });
});

describe('row 64: a page', () => {
  it('has 50 entries unless 1 to 200 are asked for', () => {
    expect(page.read({})).toEqual({ limit: 50 });
    expect(page.read({ limit: '200', after: '17' })).toEqual({ limit: 200, after: 17 });
  });

  it.each([
    { limit: '1e9' },
    { limit: '1000000000' },
    { limit: '-1' },
    { limit: '0' },
    { limit: '201' },
    { limit: '10,20' },
    { limit: '' },
    { limit: ' 5' },
    { limit: '0x10' },
    { after: 'abc' },
    { after: '-1' },
    { after: '9'.repeat(13) },
    { after: 'eyJmb3JnZWQiOnRydWV9' },
    { after: '1,2' },
  ])('%j is refused', (query) => {
    expect(codeOf(() => page.read(query))).toBe('invalid_input');
  });

  it('takes no other parameter', () => {
    expect(codeOf(() => page.read({ 'limit[]': '5' }))).toBe('unknown_property');
    expect(ERROR_CODES.unknown_property.status).toBe(400);
  });
});

describe('row 65: 50 KB of text', () => {
  const CASES: Record<string, [() => unknown, ErrorCode]> = {
    'as id': [() => findCutover(DECLARATIONS, LONG), 'invalid_identifier'],
    'as idempotency key': [() => readIdempotencyKey(LONG), 'invalid_input'],
    'as version': [() => readIfMatch(`"${LONG}"`), 'invalid_input'],
    'as plan': [() => parseCommand('start', { plan: LONG }), 'invalid_input'],
    'as reason': [() => parseCommand('rollback', { reason: LONG }), 'invalid_input'],
    'as confirm': [() => parseCommand('reset', { confirm: LONG }), 'invalid_input'],
    'as property name': [() => parseCommand('pause', { [LONG]: 1 }), 'unknown_property'],
    'as routing key': [() => parseRouteRequest({ cutover: 'x', key: LONG }), 'invalid_input'],
    'as cutover of a routing request': [() => parseRouteRequest({ cutover: LONG }), 'invalid_input'],
    'as operation': [() => parseRouteRequest({ cutover: 'x', operation: LONG }), 'invalid_input'],
    'as flush id': [() => outcomeReport.read({ flushId: LONG, source: 's', windows: [] }), 'invalid_input'],
    'as bucket': [
      () => outcomeReport.read({ flushId: 'f', source: 's', windows: [{ latency: { [LONG]: 1 } }] }),
      'invalid_input',
    ],
    'as page': [() => page.read({ limit: LONG }), 'invalid_input'],
    'as many unknown names': [
      () => parseCommand('pause', Object.fromEntries(Array.from({ length: 7_000 }, (_, i) => [`k${i}`, 1]))),
      'unknown_property',
    ],
  };

  it.each(Object.entries(CASES))('%s is refused at once', (_name, [run, code]) => {
    expect(cpuMs(() => expect(codeOf(run)).toBe(code))).toBeLessThan(50);
  });
});
