import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Script } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { bundlePage, esbuildPage } from '../../../infra/bundle-page.mjs';
import { asset, renderPage } from '../../../lib/dashboard/page.ts';
import { codeOf, readSources, type Source } from '../../helpers/imports.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const { html, headers } = renderPage();
const policy = headers['content-security-policy']!;
const inline = (tag: string) =>
  [...html.matchAll(new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`, 'g'))].map((m) => m[1]!);
const sha256 = (text: string | Buffer, encoding: 'hex' | 'base64') =>
  createHash('sha256').update(text).digest(encoding);

describe('the policy of the page', () => {
  it('allows nothing but the one script and the sheet that are in it, by their hashes', () => {
    expect([inline('script').length, inline('style').length]).toEqual([1, 1]);
    const allowed = [...policy.matchAll(/'sha256-([^']+)'/g)].map((match) => match[1]);
    expect(allowed).toEqual([...inline('script'), ...inline('style')].map((text) => sha256(text, 'base64')));
    expect(policy).toContain("default-src 'none'");
    for (const refused of ['unsafe-', 'http:', 'https:', 'data:', 'blob:', '*']) expect(policy).not.toContain(refused);
  });

  it('forbids frames, forms, base addresses and markup made by scripts', () => {
    for (const rule of ["frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'", "trusted-types 'none'"])
      expect(policy.split('; ')).toContain(rule);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
  });

  it('is not undermined by inline styles or handlers, which it would refuse', () => {
    expect(html.replace(/<(script|style)[\s\S]*?<\/\1>/g, '')).not.toMatch(/\s(style|on[a-z]+)=/);
  });
});

/** What makes markup of text, or keeps something in the browser. */
const MAKES_MARKUP =
  /(inner|outer)HTML|insertAdjacentHTML|createContextualFragment|DOMParser|document\.write|\beval\(|new Function|Storage|cookie/i;
const markupMakers = ({ file, text }: Source): string[] => (MAKES_MARKUP.test(codeOf(text)) ? [file] : []);

describe('the page', () => {
  it('names no other origin: what looks like one is the name of a namespace', () => {
    const links = new Set([...html.matchAll(/https?:\/\/[^\s"'`)]+/g)].map(([url]) => url));
    expect([...links].sort()).toEqual([
      'http://www.w3.org/1998/Math/MathML',
      'http://www.w3.org/1999/xhtml',
      'http://www.w3.org/2000/svg',
    ]);
  });

  it('has a script that stays one script: it parses, and no text in it ends it early', () => {
    const [script] = inline('script');
    expect(inline('script')).toHaveLength(1);
    expect(script).not.toMatch(/(^|[;}\s])(import|export)[\s{*"']/m);
    expect(() => new Script(`(async () => {${script}\n})`)).not.toThrow();
  });

  it('writes text only as text, and keeps nothing in the browser', () => {
    const own = readSources(['lib/dashboard/browser']);
    expect(own.length).toBeGreaterThan(12);
    expect(own.flatMap(markupMakers)).toEqual([]);
  });

  it.each([
    'return <p dangerouslySetInnerHTML={{ __html: text }} />;',
    'node.innerHTML = text;',
    'localStorage.setItem(name, text);',
  ])('would be noticed if it did: %s', (text) => {
    expect(markupMakers({ file: 'lib/dashboard/browser/x.tsx', text })).toHaveLength(1);
  });

  it('is the same when bundled as the functions are', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'crossfade-page-'));
    try {
      const outfile = join(folder, 'page.mjs');
      await build({
        entryPoints: [join(root, 'lib/dashboard/page.ts')],
        bundle: true,
        minify: true,
        format: 'esm',
        platform: 'node',
        target: 'node20',
        outfile,
        plugins: [esbuildPage],
        logLevel: 'silent',
      });
      const bundled = await import(/* @vite-ignore */ pathToFileURL(outfile).href);
      expect(bundled.renderPage()).toEqual({ html, headers });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('has nothing of the server in it: its own files, and two packages', async () => {
    const { files } = await bundlePage(join(root, 'lib/dashboard/browser/main.tsx'));
    const parts = files.map((file) => /\/(lib\/dashboard\/browser|node_modules\/[^/]+)\//.exec(file)?.[1] ?? file);
    expect([...new Set(parts)].sort()).toEqual(['lib/dashboard/browser', 'node_modules/preact', 'node_modules/uplot']);
  });

  it('is at most 140 KB, all included, and 50 KB on the way', () => {
    expect(Buffer.byteLength(html)).toBeLessThanOrEqual(140_000);
    expect(gzipSync(html).length).toBeLessThanOrEqual(50_000);
  });
});

describe('files beside the page', () => {
  it('are an icon and the licences of what is in it, and nothing else by any name', () => {
    expect(asset('icon.svg')).toMatchObject({ contentType: 'image/svg+xml' });
    for (const name of ['', 'page.ts', '../page.ts', '__proto__', 'constructor', 'toString', 'icon.svg/']) {
      expect(asset(name)).toBeNull();
    }
  });

  it('have the licence of each package in full, and the page says where', async () => {
    const licences = asset('licences.txt')!.body;
    for (const name of ['preact', 'uplot']) {
      const { version } = JSON.parse(await readFile(join(root, 'node_modules', name, 'package.json'), 'utf8'));
      expect(licences).toContain(`${name} ${version}\n\nThe MIT License (MIT)`);
      expect(licences).toContain((await readFile(join(root, 'node_modules', name, 'LICENSE'), 'utf8')).trim());
      expect(inline('script')[0]).toContain(`${name} ${version} (MIT)`);
    }
    expect(inline('script')[0]).toContain('dashboard/assets/licences.txt');
  });
});

describe('the colours', () => {
  const [light, dark] = [...inline('style')[0]!.matchAll(/:root\{([\s\S]*?)\}/g)].map(([, body]) =>
    Object.fromEntries([...body!.matchAll(/--([\w-]+): ?(#[0-9a-f]{6})/g)].map(([, name, value]) => [name!, value!])),
  );
  const text = [
    ...['ink', 'quiet', 'good', 'wait', 'bad', 'done', 'idle'].map((ink) => [ink, 'surface']),
    ...['ink', 'quiet'].flatMap((ink) => ['ground', 'sunken'].map((ground) => [ink, ground])),
    ...['good', 'wait', 'bad', 'done', 'idle'].flatMap((tone) =>
      ['ink', 'quiet', tone].map((ink) => [ink, `${tone}-ground`]),
    ),
  ];

  it.each([
    ['light', light!],
    ['dark', dark!],
  ])('are readable (4.5 to 1) in the %s scheme, and lines visible (3 to 1)', (_, scheme) => {
    const poor = text.filter(([ink, ground]) => contrast(scheme[ink!]!, scheme[ground!]!) < 4.5);
    expect(poor).toEqual([]);
    for (const line of ['old', 'new', 'focus']) expect(contrast(scheme[line]!, scheme.surface!)).toBeGreaterThan(3);
  });

  it('would be found unreadable if they were', () => {
    expect(contrast('#777777', '#888888')).toBeLessThan(1.5);
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
  });
});

/** Contrast of WCAG 2.2 between two colours written #rrggbb. */
function contrast(a: string, b: string): number {
  const [darker, lighter] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
