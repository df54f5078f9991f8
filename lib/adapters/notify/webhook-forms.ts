/**
 * An alert message as a webhook takes it. Only our own form is signed; the others prove who sends by a secret of theirs:
 * Slack and Teams by the end of the address, PagerDuty by a routing key in the body. Texts go as plain text: an alert may hold what
 * an application wrote, and no markup of it is to be followed. Pure.
 */

import type { AlertMessage } from '../../core/alerts/alert.ts';
import type { WebhookForm } from '../../core/alerts/webhook-form.ts';
import { CrossfadeError } from '../../core/base/errors.ts';
import { documentOf, subjectOf } from './message.ts';
import { signedHeaders } from './sign.ts';

type WebhookRequest = { url: URL; headers: Readonly<Record<string, string>>; body: string };

/** @param key the text of the secret @param nowMs epoch milliseconds @throws CrossfadeError `upstream_refused` */
type Form = (message: AlertMessage, to: { url: URL; key: string; nowMs: number }) => WebhookRequest;

export const FORMS: Readonly<Record<WebhookForm, Form>> = {
  crossfade(message, { url, key, nowMs }) {
    const body = JSON.stringify(documentOf(message));
    return { url, headers: signedHeaders({ id: message.id, body }, key, nowMs), body };
  },
  slack: (message, { url, key }) => unsigned(below(url, key), slackBody(message)),
  teams: (message, { url, key }) => unsigned(below(url, key), teamsBody(message)),
  pagerduty: (message, { url, key }) => unsigned(url, pagerDutyBody(message, key)),
};

const unsigned = (url: URL, body: object): WebhookRequest => ({
  url,
  headers: { 'content-type': 'application/json', 'user-agent': 'crossfade' },
  body: JSON.stringify(body),
});

/** The address that the secret ends. It stays on the host that was configured, whatever the secret says. */
function below(url: URL, rest: string): URL {
  const base = url.href.endsWith('/') ? url.href : `${url.href}/`;
  const whole = URL.canParse(rest, base) ? new URL(rest, base) : null;
  if (whole?.href.startsWith(base) && whole.href.length > base.length) return whole;
  throw new CrossfadeError(
    'upstream_refused',
    `The secret of the webhook for alerts must be the rest of its address, as it comes after ${base}: neither empty nor of another host.`,
  );
}

/** Slack shows no more of a section. */
const SLACK_TEXT = 3_000;

function slackBody(message: AlertMessage) {
  const plain = (text: string) => ({ type: 'plain_text', text: text.slice(0, SLACK_TEXT), emoji: false });
  return {
    // What notifications show is markup, in which three characters mean something.
    text: subjectOf(message).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
    blocks: [
      { type: 'header', text: plain(subjectOf(message)) },
      { type: 'section', text: plain(message.text) },
      { type: 'context', elements: [plain(`${timeOf(message)} · ${message.id}`)] },
    ],
  };
}

/** Text blocks of a card are markup, runs of text are not. */
function teamsBody(message: AlertMessage) {
  const line = (text: string, weight: 'Default' | 'Bolder') => ({
    type: 'RichTextBlock',
    inlines: [{ type: 'TextRun', text, weight }],
  });
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            line(subjectOf(message), 'Bolder'),
            line(message.text, 'Default'),
            line(`${timeOf(message)} · ${message.id}`, 'Default'),
          ],
        },
      },
    ],
  };
}

const ACTIONS = { fired: 'trigger', escalated: 'trigger', acknowledged: 'acknowledge', resolved: 'resolve' } as const;
const PAGERDUTY_TEXT = 1_024;
const PAGERDUTY_KEY = 255;

/** All messages of an alert are events of one incident. */
function pagerDutyBody(message: AlertMessage, routingKey: string) {
  return {
    routing_key: routingKey,
    event_action: ACTIONS[message.change],
    dedup_key: `crossfade.${message.alert}`.slice(0, PAGERDUTY_KEY),
    payload: {
      summary: message.text.slice(0, PAGERDUTY_TEXT),
      source: 'crossfade',
      severity: message.severity,
      timestamp: timeOf(message),
      component: message.cutover,
      class: message.alert,
      custom_details: documentOf(message),
    },
  };
}

const timeOf = ({ atMs }: AlertMessage) => new Date(atMs).toISOString();
