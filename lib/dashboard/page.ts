/**
 * The dashboard as one document: skeleton, style and script in a single answer, each allowed by its hash alone. Nothing
 * that varies is written into it; the script asks `dashboard/data` of the same origin.
 */

import { createHash } from 'node:crypto';
import icon from './browser/icon.svg?raw' with { type: 'text' };
import { licences, script, style } from './browser/main.tsx?bundle';
import skeleton from './browser/page.html?raw' with { type: 'text' };

export type Page = { html: string; headers: Record<string, string> };

let page: Page | null = null;

/** The page and the headers it must be sent with; without them it is neither strict nor safe from caches. */
export function renderPage(): Page {
  page ??= compose();
  return page;
}

function compose(): Page {
  const html = skeleton
    .replace('<!--style-->', () => `<style>${style}</style>`)
    .replace('<!--script-->', () => `<script type="module">${script}</script>`);
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy(script, style),
      ...COMMON,
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
    },
  };
}

const COMMON = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

function policy(ownScript: string, ownStyle: string): string {
  return [
    "default-src 'none'",
    `script-src ${hash(ownScript)}`,
    `style-src ${hash(ownStyle)}`,
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

const ASSETS: Readonly<Record<string, { body: string; contentType: string }>> = {
  'icon.svg': { body: icon, contentType: 'image/svg+xml' },
  'licences.txt': { body: licences, contentType: 'text/plain; charset=utf-8' },
};

export type Asset = { body: string; contentType: string; headers: Record<string, string> };

/** A file of `GET /dashboard/assets/{asset}` with its headers, or null when there is none of that name. */
export function asset(name: string): Asset | null {
  const found = Object.hasOwn(ASSETS, name) ? ASSETS[name]! : null;
  if (!found) return null;
  return {
    ...found,
    headers: {
      'content-type': found.contentType,
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      ...COMMON,
      'cache-control': 'public, max-age=3600',
    },
  };
}
