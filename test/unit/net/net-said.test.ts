/** Which requests go on, with which headers, and what a browser of another origin is told: at the edges of every case, as a page. */

import { expect, it } from 'vitest';
import { DEFAULT_CORS, isPreflight, preflightAnswer, preflightHeaders, withCors } from '../../../lib/core/net/cors.ts';
import {
  correlationIdOf,
  keptHeaders,
  MAX_BODY_BYTES,
  refuseRequest,
  withProxyHeaders,
} from '../../../lib/core/net/proxied-request.ts';
import { combinations, said } from '../../helpers/said.ts';

const page = (name: string) => `../../fixtures/said/${name}.txt`;

it('of requests that go on', async () => {
  const headers: Record<string, string>[] = [
    {},
    ...['x-http-method-override', 'x-http-method', 'x-method-override'].map((name) => ({ [name]: 'PUT' })),
    ...['websocket', 'h2c, WebSocket', 'h2c', 'websockets'].map((upgrade) => ({ upgrade })),
    ...['a\tb', 'a\u0000', 'a\nb', 'é', '€'].map((value) => ({ 'x-a': value })),
    { 'x a': '1' },
    ...['chunked', ' Chunked ', 'gzip', 'gzip, chunked'].map((coding) => ({ 'transfer-encoding': coding })),
    ...['5', '05', '4', '6', '5, 5', ' 5', '', '-5', '5000000000000000'].map((length) => ({
      'content-length': length,
    })),
    { 'transfer-encoding': 'chunked', 'content-length': '4' },
    ...['1.1 other', '1.1 crossfade-chat', '1.1 a, 1.0  crossfade-chat', '1.1 crossfade-chats', 'crossfade-chat'].map(
      (via) => ({ via }),
    ),
  ];
  const lengths = [32_767, 32_768, 32_769].map((length) => ({ length }));
  const refused = (of: Record<string, string>, bodyBytes: number) => {
    refuseRequest({ method: 'POST', headers: of, bodyBytes }, 'chat');
    return 'goes on';
  };
  await expect(
    [
      said('headers, with a body of 5 bytes', headers, (of) => refused(of, 5)),
      said('so many characters', lengths, ({ length }) => refused({ 'x-a': 'a'.repeat(length - 3) }, 0)),
      said('bytes beside the most', [-1, 0, 1], (more) => refused({}, MAX_BODY_BYTES + more)),
      said(
        'what is added',
        combinations({
          via: [undefined, '', '1.0 a'],
          from: [undefined, 'a', ' a , b', '1,2,3,4,5,6,7,8,9,10', '1,2,3,4,5,6,7,8,9,10,11'],
        }),
        ({ via, from }) =>
          withProxyHeaders(
            {
              ...(via === undefined ? {} : { via }),
              ...(from === undefined ? {} : { 'x-forwarded-for': from }),
              'x-a': '1',
            },
            'chat',
            { 'x-a': 'own' },
          ),
      ),
      said(
        'what is kept',
        ['connection', 'host', 'x-amzn-trace-id', 'x-crossfade-authorization', 'x-crossfad', 'accept'],
        (name) => keptHeaders({ [name]: '1' }),
      ),
      said(
        'a correlation id',
        [{}, { a: '' }, { a: ' ' }, { b: ' 2 ' }, { a: '1', b: '2' }, { a: ' ', b: '2' }, { a: 'x'.repeat(201) }],
        (of) => correlationIdOf(of as Record<string, string>, ['a', 'b']),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot(page('passed-on'));
});

it('of other origins', async () => {
  const rules = combinations({
    origins: [['*'], ['https://a.test', 'https://b.test'], []],
    more: [{}, { headers: ['x-a', 'x-b'], exposed: ['x-c', 'x-d'], credentials: true, maxAgeSeconds: 5 }],
    origin: [undefined, 'https://b.test', 'https://c.test'],
  });
  const ruled = ({ origins, more }: { origins: string[]; more: object }) => ({ ...DEFAULT_CORS, ...more, origins });
  const asked = (origin: string | undefined): Record<string, string> => (origin === undefined ? {} : { origin });
  const answers: Record<string, string>[] = [{}, { vary: 'Accept' }, { 'access-control-allow-origin': 'its own' }];
  await expect(
    [
      said('before a request', rules, (one) => preflightAnswer(ruled(one), asked(one.origin))),
      said(
        'of an answer',
        rules.flatMap((one) => answers.map((answer) => ({ ...one, answer }))),
        ({ answer, ...one }) => withCors(ruled(one), asked(one.origin), answer),
      ),
      said(
        'a question before a request',
        combinations({ method: ['OPTIONS', 'GET'], origin: [undefined, 'a'], asks: [undefined, 'PUT'] }),
        ({ method, origin, asks }) => {
          const headers = {
            ...asked(origin),
            ...(asks === undefined ? {} : { 'access-control-request-method': asks }),
            cookie: 'a=1',
          };
          return [isPreflight(method, headers), preflightHeaders(headers)];
        },
      ),
    ].join('\n'),
  ).toMatchFileSnapshot(page('other-origins'));
});
