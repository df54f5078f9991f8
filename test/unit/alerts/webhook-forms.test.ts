/** Alerts as services of others take them, at a receiver of this machine: their shape, their limits, and what stays secret. */

import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { webhookChannel } from '../../../lib/adapters/notify/webhook.ts';
import { FORMS } from '../../../lib/adapters/notify/webhook-forms.ts';
import type { AlertMessage } from '../../../lib/core/alerts/alert.ts';
import type { WebhookForm } from '../../../lib/core/alerts/webhook-form.ts';
import { SEVERITIES } from '../../../lib/core/cutover/alert-rule.ts';
import { firing } from '../../helpers/contracts/alerts.ts';
import { NOW } from '../../property/samples.ts';

const [MESSAGE] = firing(0).messages as [AlertMessage];
const CLOCK = { now: () => NOW, monotonicMs: () => 0, sleep: async () => {} };

type Arrived = { path: string; headers: IncomingHttpHeaders; body: Record<string, unknown> };

let server: Server;
let base: string;
let arrived: Arrived[];
beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    arrived.push({ path: request.url!, headers: request.headers, body: JSON.parse(body) });
    response.writeHead(202).end();
  });
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  arrived = [];
});

async function sent(form: WebhookForm, path: string, key: string, message = MESSAGE): Promise<Arrived> {
  const channel = webhookChannel({ url: base + path, form, key: async () => key, clock: CLOCK, profile: 'local' });
  await channel.send(message, 5_000);
  expect(arrived).toHaveLength(1);
  return arrived[0]!;
}

const SUBJECT = 'Crossfade critical: customer.errors fires';
const EVIL = 'a <!channel> & *b* [c](https://evil.example.com)';

describe('Slack', () => {
  it('gets the subject, the text and the time as plain text, at the address that the secret ends', async () => {
    const { path, headers, body } = await sent('slack', '/services', 'T0/B0/x');
    expect(path).toBe('/services/T0/B0/x');
    expect(headers).not.toHaveProperty('x-crossfade-signature');
    expect(body).toMatchObject({
      text: SUBJECT,
      blocks: [
        { type: 'header', text: { type: 'plain_text', text: SUBJECT } },
        { type: 'section', text: { type: 'plain_text', text: MESSAGE.text } },
        { type: 'context', elements: [{ type: 'plain_text', text: '2026-01-15T12:00:00.000Z · customer.errors#1' }] },
      ],
    });
  });

  it('is given no markup', async () => {
    const { body } = await sent('slack', '/services/', 'x', { ...MESSAGE, alert: EVIL, text: EVIL });
    expect(body.text).toContain('a &lt;!channel&gt; &amp; *b*');
    expect(JSON.stringify(body.blocks)).not.toContain('mrkdwn');
  });
});

describe('Teams', () => {
  it('gets a card of plain text, at the address that the secret ends, with its query', async () => {
    const { path, body } = await sent('teams', '/workflows', 'f00/triggers/manual?sig=s', { ...MESSAGE, text: EVIL });
    expect(path).toBe('/workflows/f00/triggers/manual?sig=s');
    expect(body).toMatchObject({
      type: 'message',
      attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', content: { type: 'AdaptiveCard' } }],
    });
    const [{ content }] = body.attachments as [{ content: { body: { type: string; inlines: { text: string }[] }[] } }];
    expect(content.body.map(({ inlines }) => inlines[0]!.text)).toEqual([SUBJECT, EVIL, expect.any(String)]);
    expect(new Set(content.body.map(({ type }) => type))).toEqual(new Set(['RichTextBlock']));
  });
});

describe('PagerDuty', () => {
  it.each([
    ['fired', 'trigger'],
    ['escalated', 'trigger'],
    ['acknowledged', 'acknowledge'],
    ['resolved', 'resolve'],
  ] as const)('gets %s as %s of one incident', async (change, action) => {
    const { path, body } = await sent('pagerduty', '/v2/enqueue', 'R0', { ...MESSAGE, change });
    expect(path).toBe('/v2/enqueue');
    expect(body).toMatchObject({
      routing_key: 'R0',
      event_action: action,
      dedup_key: 'crossfade.customer.errors',
      payload: {
        summary: MESSAGE.text,
        source: 'crossfade',
        severity: 'critical',
        timestamp: '2026-01-15T12:00:00.000Z',
        component: 'customer',
        custom_details: { id: 'customer.errors#1', value: 0.25 },
      },
    });
  });

  it('takes each of our severities', () => {
    expect(['critical', 'error', 'warning', 'info']).toEqual(expect.arrayContaining([...SEVERITIES]));
  });
});

describe('every form', () => {
  it('stays within the limits of its receiver, whatever a message says', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 5_000 });
    fc.assert(
      fc.property(text, text, (said, alert) => {
        const to = { url: new URL('https://hooks.example.com/a'), key: 'k', nowMs: NOW };
        const bodyOf = (form: WebhookForm) => JSON.parse(FORMS[form]({ ...MESSAGE, text: said, alert }, to).body);
        const { dedup_key: key, payload } = bodyOf('pagerduty');
        expect(key.length).toBeLessThanOrEqual(255);
        expect(payload.summary.length).toBeLessThanOrEqual(1_024);
        const [header, section] = bodyOf('slack').blocks;
        expect(header.text.text.length).toBeLessThanOrEqual(150);
        expect(section.text.text.length).toBeLessThanOrEqual(3_000);
      }),
      { seed: 7, numRuns: 50 },
    );
  });

  it.each(['', '/elsewhere', '../up', 'https://evil.example.com/x', '//evil.example.com/x'])(
    'refuses the secret %j, which would lead off the address',
    (key) => {
      const to = { url: new URL('https://hooks.example.com/services'), key, nowMs: NOW };
      for (const form of ['slack', 'teams'] as const)
        expect(() => FORMS[form](MESSAGE, to)).toThrow(
          /rest of its address, as it comes after https:\/\/hooks.example/,
        );
    },
  );
});
