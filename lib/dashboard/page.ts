/**
 * The dashboard as one document: skeleton, style and script in a single answer, each allowed by its hash alone. Nothing
 * that varies is written into it; the script asks `dashboard/data` of the same origin.
 */

import { createHash } from 'node:crypto';
import alerts from './browser/alerts.js?raw' with { type: 'text' };
import badges from './browser/badges.js?raw' with { type: 'text' };
import charts from './browser/charts.js?raw' with { type: 'text' };
import cutover from './browser/cutover.js?raw' with { type: 'text' };
import dom from './browser/dom.js?raw' with { type: 'text' };
import experiments from './browser/experiments.js?raw' with { type: 'text' };
import format from './browser/format.js?raw' with { type: 'text' };
import icon from './browser/icon.svg?raw' with { type: 'text' };
import main from './browser/main.js?raw' with { type: 'text' };
import skeleton from './browser/page.html?raw' with { type: 'text' };
import phases from './browser/phases.js?raw' with { type: 'text' };
import stages from './browser/stages.js?raw' with { type: 'text' };
import stop from './browser/stop.js?raw' with { type: 'text' };
import style from './browser/style.html?raw' with { type: 'text' };
import table from './browser/table.js?raw' with { type: 'text' };
import timeline from './browser/timeline.js?raw' with { type: 'text' };
import uplot from './vendor/uplot.js?raw' with { type: 'text' };
import uplotLicence from './vendor/uplot.LICENSE.txt?raw' with { type: 'text' };

/** Modules of the script, each after those it imports. */
const MODULES = [
  dom,
  format,
  badges,
  stages,
  table,
  cutover,
  phases,
  charts,
  timeline,
  alerts,
  experiments,
  stop,
  main,
];

export type Page = { html: string; headers: Record<string, string> };

let page: Page | null = null;

/** The page and the headers it must be sent with; without them it is neither strict nor safe from caches. */
export function renderPage(): Page {
  page ??= compose();
  return page;
}

function compose(): Page {
  const script = link(MODULES);
  const sheet = /<style>([\s\S]*)<\/style>/.exec(style)![1]!;
  const html = skeleton
    .replace('<!--style-->', () => `<style>${sheet}</style>`)
    .replace('<!--script-->', () => `<script>${uplot}</script>\n<script type="module">${script}</script>`);
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy([uplot, script], [sheet]),
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

/**
 * One script of several modules: an inline script cannot import, so imports are left out and exports become plain
 * declarations in one scope. It works because no two modules declare the same name, which the browser itself checks.
 */
function link(modules: readonly string[]): string {
  return modules.map((module) => module.replace(/^import [^;]*;\n/gm, '').replace(/^export /gm, '')).join('\n');
}

function policy(scripts: readonly string[], styles: readonly string[]): string {
  return [
    "default-src 'none'",
    `script-src ${scripts.map(hash).join(' ')}`,
    `style-src ${styles.map(hash).join(' ')}`,
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
  'uplot.LICENSE.txt': { body: uplotLicence, contentType: 'text/plain; charset=utf-8' },
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
