/**
 * The house rules that a reader relies on: which layer may import which, where a vendor's package may appear, and where
 * the clock, chance, the environment and the console may be touched. Each rule is also shown to notice a violation.
 */

import { describe, expect, it } from 'vitest';
import {
  codeOf,
  findCycle,
  importsOf,
  packageOf,
  readSources,
  type Source,
  withoutComments,
} from '../../helpers/imports.ts';

const SOURCES = readSources(['lib', 'functions', 'infra', 'test']);
const SHIPPED = SOURCES.filter(({ file }) => !file.startsWith('test/') && !file.startsWith('infra/local/'));

// ---------------------------------------------------------------------------------------------------------- layers

type Layer = { name: string; files: RegExp; may: readonly string[]; types?: readonly string[] };

/** First match wins. A layer may always import itself; `types` are layers of which it may see types only. */
const LAYERS: readonly Layer[] = [
  { name: 'core', files: /^lib\/core\//, may: [] },
  // What functions report and what alarms watch: a table, of which alarms are made, too.
  { name: 'metrics', files: /^infra\/metrics\.json$/, may: [] },
  { name: 'ports', files: /^lib\/ports\//, may: [], types: ['core', 'metrics'] },
  { name: 'schemas', files: /^lib\/schemas\//, may: ['core'], types: ['ports'] },
  { name: 'declaration', files: /^lib\/define\//, may: ['core', 'schemas'] },
  { name: 'flows', files: /^lib\/flows\//, may: ['core'], types: ['ports'] },
  // What the SDK and the route function both use: where flags come from, and what they say of a key.
  { name: 'routing', files: /^lib\/routing\//, may: ['core'] },
  { name: 'client', files: /^lib\/client\//, may: ['core', 'routing'] },
  { name: 'system', files: /^lib\/adapters\/system\.ts$/, may: ['core'], types: ['ports'] },
  { name: 'dynamodb', files: /^lib\/adapters\/dynamodb\//, may: ['core', 'schemas'], types: ['ports'] },
  // Reads flags as well as publishing them.
  { name: 'appconfig', files: /^lib\/adapters\/appconfig\//, may: ['core', 'schemas', 'routing'], types: ['ports'] },
  { name: 'postgres', files: /^lib\/adapters\/postgres\//, may: ['core', 'schemas'], types: ['ports'] },
  // The one way out to an address that a configuration names.
  { name: 'net', files: /^lib\/adapters\/net\//, may: ['core'], types: ['ports'] },
  { name: 'http', files: /^lib\/adapters\/http\//, may: ['core', 'schemas', 'net'], types: ['ports'] },
  { name: 'notify', files: /^lib\/adapters\/notify\//, may: ['core', 'schemas', 'net'], types: ['ports'] },
  { name: 'lambda', files: /^lib\/adapters\/lambda\//, may: ['core'] },
  { name: 'cloudwatch', files: /^lib\/adapters\/cloudwatch\//, may: ['core'], types: ['ports'] },
  { name: 'powertools', files: /^lib\/adapters\/powertools\//, may: ['core', 'metrics'], types: ['ports'] },
  // A program of its own, for the browser. What it knows of the server are the types of its answers.
  { name: 'page', files: /^lib\/dashboard\/browser\//, may: [], types: ['dashboard', 'core'] },
  // The only file of the server that has the program, as text.
  { name: 'document', files: /^lib\/dashboard\/page\.ts$/, may: ['page'] },
  { name: 'dashboard', files: /^lib\/dashboard\//, may: ['core'], types: ['ports', 'flows'] },
  {
    name: 'compose',
    files: /^lib\/compose\//,
    may: [
      'core',
      'schemas',
      'client',
      'routing',
      'system',
      'dynamodb',
      'appconfig',
      'postgres',
      'cloudwatch',
      'lambda',
      'http',
      'notify',
      'powertools',
      'configuration',
    ],
    types: ['ports'],
  },
  {
    name: 'cli',
    files: /^lib\/cli\//,
    may: ['core', 'schemas', 'flows', 'client', 'declaration', 'system', 'http', 'postgres', 'compose'],
    types: ['ports'],
  },
  {
    name: 'functions',
    files: /^functions\//,
    may: ['core', 'flows', 'schemas', 'compose', 'dashboard', 'document'],
    types: ['ports', 'http'],
  },
  { name: 'examples', files: /^infra\/examples\//, may: ['core', 'client', 'declaration'] },
  { name: 'configuration', files: /^infra\/cutovers\.ts$/, may: ['core', 'declaration', 'examples'] },
  // What is generated in the pages is made of what serves.
  { name: 'pages', files: /^infra\/docs\//, may: ['core', 'schemas', 'cli', 'functions'] },
];

const layerOf = (file: string): Layer | undefined => LAYERS.find(({ files }) => files.test(file));

function wrongImports(source: Source): string[] {
  const layer = layerOf(source.file);
  if (!layer) return [`${source.file} belongs to no layer`];
  return importsOf(source)
    .filter(({ target, typeOnly }) => {
      if (target === null) return false;
      const name = layerOf(target)?.name;
      if (name === undefined) return true;
      return name !== layer.name && !layer.may.includes(name) && !(typeOnly && layer.types?.includes(name));
    })
    .map(({ target, typeOnly }) => `${source.file} imports ${typeOnly ? 'types of ' : ''}${target}`);
}

describe('layers', () => {
  it('import what the table allows, and nothing shipped imports infra/local or test', () => {
    expect(SHIPPED.flatMap(wrongImports)).toEqual([]);
  });

  it.each([
    ['a type of a flow in core', 'lib/core/x.ts', "import type { A } from '../flows/a.ts';"],
    ['a value of ports in a flow', 'lib/flows/x.ts', "import { A } from '../ports/ports.ts';"],
    ['an adapter in a flow', 'lib/flows/x.ts', "import { a } from '../adapters/system.ts';"],
    ['one adapter in another', 'lib/adapters/dynamodb/x.ts', "import { a } from '../postgres/a.ts';"],
    ['a schema in the client', 'lib/client/x.ts', "import { a } from '../schemas/a.ts';"],
    ['an adapter in a function', 'functions/x.ts', "import { a } from '../lib/adapters/dynamodb/a.ts';"],
    ['the local stack, lazily', 'lib/cli/x.ts', "const a = await import('../../../infra/local/main.ts');"],
    ['a test helper, re-exported', 'lib/cli/x.ts', "export { a } from '../../test/helpers/a.ts';"],
    ['a value of the server in the page', 'lib/dashboard/browser/x.tsx', "import { a } from '../data.ts';"],
    ['a value of core in the page', 'lib/dashboard/browser/x.ts', "import { a } from '../../core/base/units.ts';"],
    ['a type of a flow in the page', 'lib/dashboard/browser/x.tsx', "import type { A } from '../../flows/a.ts';"],
    ['the page in the data', 'lib/dashboard/x.ts', "import { script } from './browser/main.tsx?bundle';"],
    ['a file outside of every layer', 'lib/utils.ts', ''],
  ])('notice %s', (_, file, text) => {
    expect(wrongImports({ file, text })).toHaveLength(1);
  });

  it('have no cycle, type imports included', () => {
    expect(findCycle(SOURCES)).toBeNull();
  });

  it('notice a cycle of type imports', () => {
    const made = [
      { file: 'lib/core/a.ts', text: "import type { B } from './b.ts';" },
      { file: 'lib/core/b.ts', text: "import { c } from './c.ts';" },
      { file: 'lib/core/c.ts', text: "export type { A } from './a.ts';" },
    ];
    expect(findCycle(made)).toEqual(['lib/core/a.ts', 'lib/core/b.ts', 'lib/core/c.ts', 'lib/core/a.ts']);
  });
});

// ------------------------------------------------------------------------------------------------------------ rooms

/** The rooms of a layer, and which room of it may import which. There is no loose file beside them. */
const ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'lib/core': {
    base: [],
    net: ['base'],
    cost: [],
    cutover: ['base', 'net'],
    routing: ['base', 'cutover'],
    conditions: ['base'],
    gates: ['base', 'conditions', 'cutover', 'routing'],
    forwards: ['cutover', 'routing'],
    holds: ['base', 'conditions', 'cutover', 'forwards', 'gates'],
    stage: ['base', 'conditions', 'cutover', 'gates', 'holds', 'routing'],
    table: ['base', 'cutover', 'gates', 'routing'],
    alerts: ['base', 'conditions', 'cutover', 'gates', 'holds', 'stage'],
    look: ['alerts', 'base', 'conditions', 'cutover', 'forwards', 'gates', 'holds', 'stage'],
    phases: ['base', 'conditions', 'cutover', 'holds', 'look', 'routing', 'stage'],
    report: ['base', 'conditions', 'cutover', 'gates', 'routing', 'stage'],
    replay: ['alerts', 'base', 'conditions', 'cutover', 'gates', 'holds', 'phases', 'stage'],
  },
  'lib/flows': {
    calls: [],
    forwards: [],
    alerts: ['calls'],
    rows: ['calls', 'forwards'],
    control: ['alerts', 'calls', 'rows'],
    report: ['alerts', 'calls', 'control'],
    publishing: ['calls', 'control'],
  },
};

function roomOf(file: string): { layer: string; room: string } | null {
  const [, layer, room] = /^(lib\/(?:core|flows))\/(?:([^/]+)\/)?/.exec(file) ?? [];
  return layer === undefined ? null : { layer, room: room ?? '' };
}

function wrongRooms(source: Source): string[] {
  const here = roomOf(source.file);
  if (!here) return [];
  const may = ROOMS[here.layer]?.[here.room];
  if (!may) return [`${source.file} is in no room of ${here.layer}`];
  return importsOf(source).flatMap(({ target }) => {
    const there = target === null ? null : roomOf(target);
    if (there?.layer !== here.layer || there.room === here.room || may.includes(there.room)) return [];
    return [`${source.file} imports ${target}`];
  });
}

describe('rooms', () => {
  it('of core and flows have no loose file beside them, and import what the table allows', () => {
    expect(SHIPPED.flatMap(wrongRooms)).toEqual([]);
  });

  it('are no more than the table has, and each of its arrows is used', () => {
    const used = SHIPPED.flatMap((source) =>
      importsOf(source).map(({ target }) => [roomOf(source.file), target === null ? null : roomOf(target)] as const),
    ).flatMap(([from, to]) => (from && to && from.layer === to.layer ? [`${from.layer} ${from.room} ${to.room}`] : []));
    const allowed = Object.entries(ROOMS).flatMap(([layer, rooms]) =>
      Object.entries(rooms).flatMap(([room, may]) => may.map((other) => `${layer} ${room} ${other}`)),
    );
    expect(allowed.filter((arrow) => !used.includes(arrow))).toEqual([]);
  });

  it('have no arrow back', () => {
    for (const rooms of Object.values(ROOMS)) {
      const made = Object.entries(rooms).map(([room, may]) => ({
        file: `lib/${room}.ts`,
        text: may.map((other) => `import type { A } from './${other}.ts';`).join('\n'),
      }));
      expect(findCycle(made)).toBeNull();
    }
  });

  it.each([
    ['a loose file in core', 'lib/core/x.ts', ''],
    ['a loose file in flows', 'lib/flows/x.ts', ''],
    ['a room that is not in the table', 'lib/core/things/x.ts', ''],
    ['a gate in a declaration', 'lib/core/cutover/x.ts', "import type { A } from '../gates/a.ts';"],
    ['a tick in the writer of rows', 'lib/flows/rows/x.ts', "import { a } from '../control/tick.ts';"],
    ['a cutover in the base', 'lib/core/base/x.ts', "import { a } from '../cutover/a.ts';"],
  ])('notice %s', (_, file, text) => {
    expect(wrongRooms({ file, text })).toHaveLength(1);
  });
});

// -------------------------------------------------------------------------------------------------------------- tick

/** So that a reader of one page can say what a tick does. */
const MOST_IMPORTS_OF_ADVANCE = 10;
const ADVANCE = 'lib/flows/control/advance.ts';
const importsTick = (source: Source): boolean =>
  importsOf(source).some(({ target }) => target === 'lib/flows/control/tick.ts');

describe('the tick', () => {
  it('is imported by no flow: commands and reports look and reconcile by themselves', () => {
    const flows = SHIPPED.filter(({ file }) => file.startsWith('lib/flows/'));
    expect(flows.filter(importsTick).map(({ file }) => file)).toEqual([]);
    expect(importsTick({ file: 'lib/flows/control/x.ts', text: "import { tick } from './tick.ts';" })).toBe(true);
  });

  it(`advances a cutover in one file with at most ${MOST_IMPORTS_OF_ADVANCE} imports`, () => {
    const source = SOURCES.find(({ file }) => file === ADVANCE)!;
    expect(importsOf(source).length).toBeLessThanOrEqual(MOST_IMPORTS_OF_ADVANCE);
    expect(importsOf(source).length).toBeGreaterThan(5);
  });
});

// ------------------------------------------------------------------------------------------------------------ ports

const MOST_METHODS = 7;

/** The object types that a file of ports exports, with the names of their methods. */
function portsIn(source: Source): { name: string; methods: string[] }[] {
  const text = withoutComments(source.text);
  return [...text.matchAll(/^export type (\w+)[^={]*=[^{;]*\{/gm)].map(({ 0: head, 1: name, index }) => {
    let depth = 1;
    let member = '';
    const methods: string[] = [];
    for (let at = index + head.length; depth > 0; at += 1) {
      const char = text[at]!;
      if ('{(['.includes(char)) depth += 1;
      if ('})]'.includes(char)) depth -= 1;
      member += char;
      // The last member of a type on one line ends with the type.
      if (depth > 1 || (depth === 1 && char !== ';')) continue;
      const method = /^\s*(?:readonly\s+)?(\w+)\??\s*(?:[(<]|:\s*(?:<[^>]*>\s*)?\([^;]*=>)/.exec(member)?.[1];
      if (method) methods.push(method);
      member = '';
    }
    return { name: name!, methods };
  });
}

const wide = (source: Source): string[] =>
  source.file.startsWith('lib/ports/')
    ? portsIn(source)
        .filter(({ methods }) => methods.length > MOST_METHODS)
        .map(({ name, methods }) => `${source.file}: ${name} has ${methods.length} methods`)
    : [];

describe('ports', () => {
  it('have at most seven methods', () => {
    expect(SHIPPED.flatMap(wide)).toEqual([]);
  });

  const methods = (written: (n: number) => string) =>
    `export type Port = {\n${Array.from({ length: 8 }, (_, n) => written(n)).join('\n')}\n};`;
  it.each([
    [
      'methods',
      methods(
        (n) => `  /** Says; so. */\n  ask${n}(id: string, page: { limit: number; after?: string }): Promise<void>;`,
      ),
    ],
    ['functions', methods((n) => `  ask${n}: (id: string) => Promise<{ kind: 'asked'; at: number }>;`)],
    ['generic ones', methods((n) => `  ask${n}<Row extends object>(id: string): Promise<Row>;`)],
    ['those beside another port', methods((n) => `  ask${n}(): void;`).replace('= {', '= Other & {')],
  ])('notice eight %s', (_, text) => {
    expect(wide({ file: 'lib/ports/x.ts', text })).toHaveLength(1);
    expect(wide({ file: 'lib/ports/x.ts', text: text.replace(/^.*ask7.*$/m, '') })).toEqual([]);
  });

  it('are seen, those with seven methods and those of one', () => {
    const seen = new Map(
      SHIPPED.filter(({ file }) => file.startsWith('lib/ports/'))
        .flatMap(portsIn)
        .map(({ name, methods }) => [name, methods.length]),
    );
    expect([seen.get('StateStore'), seen.get('Swapping'), seen.get('Ids'), seen.get('MirrorRow')]).toEqual([
      7, 6, 1, 0,
    ]);
  });
});

// --------------------------------------------------------------------------------------------------------- packages

/** Where a package may be imported. Built-ins of Node are `node:*`; core has one use of them, hashing. */
const PACKAGES: readonly [package_: RegExp, files: RegExp][] = [
  [/^zod$/, /^(lib\/(schemas\/|define\/cutovers\.ts|adapters\/)|infra\/docs\/configuration\.ts$)/],
  [/^@aws-sdk\/(client|lib)-dynamodb$/, /^lib\/adapters\/dynamodb\//],
  [/^@aws-sdk\/rds-signer$/, /^lib\/adapters\/postgres\//],
  [/^@aws-sdk\/client-appconfig$/, /^lib\/adapters\/appconfig\//],
  // Loaded by whoever reads flags without an agent, with the first fetch.
  [/^@aws-sdk\/client-appconfigdata$/, /^lib\/routing\/data-source\.ts$/],
  [/^@aws-sdk\/client-lambda$/, /^lib\/adapters\/lambda\//],
  [/^@aws-sdk\/client-cloudwatch$/, /^lib\/adapters\/cloudwatch\//],
  [/^@aws-sdk\/client-(sns|eventbridge|secrets-manager)$/, /^lib\/adapters\/notify\//],
  [/^(jose|@smithy\/signature-v4)$/, /^lib\/adapters\/http\//],
  // How the AWS CLI finds credentials, so that a person needs no others.
  [/^@aws-sdk\/credential-provider-node$/, /^lib\/adapters\/(http|dynamodb|appconfig)\//],
  // Pure: from the text of an address to its range.
  [/^ipaddr\.js$/, /^lib\/core\/net\/address\.ts$/],
  [/^postgres$/, /^(lib\/adapters\/postgres\/|lib\/cli\/database\.ts|infra\/examples\/)/],
  [/^@middy\//, /^functions\//],
  [/^@aws-lambda-powertools\//, /^lib\/adapters\/powertools\//],
  [/^aws-lambda$/, /^functions\//],
  [/^commander$/, /^(lib\/cli\/|infra\/docs\/commands\.ts$)/],
  // Loads the configuration of a user, which may be TypeScript.
  [/^(jiti|crossfade-cutover)$/, /^lib\/cli\/(configuration|init\/files)\.ts$/],
  [/^(@clack\/prompts|string-width|yaml)$/, /^lib\/cli\//],
  [/^@openfeature\/server-sdk$/, /^lib\/client\//],
  [/^(preact|uplot)$/, /^lib\/dashboard\/browser\//],
  [/^node:crypto$/, /^lib\/core\/stage\/audit\.ts$/],
  [
    /^node:/,
    /^(lib\/(adapters|cli|client|routing|compose)\/|lib\/dashboard\/page\.ts|lib\/schemas\/local-settings\.ts|functions\/|infra\/)/,
  ],
];

const wrongPackages = (source: Source): string[] =>
  importsOf(source)
    .filter(({ target }) => target === null)
    .filter(({ specifier }) => {
      const name = packageOf(specifier);
      return !PACKAGES.some(([pattern, files]) => pattern.test(name) && files.test(source.file));
    })
    .map(({ specifier }) => `${source.file} imports ${specifier}`);

describe('packages', () => {
  it('of a vendor appear in their own adapter only', () => {
    expect(SHIPPED.flatMap(wrongPackages)).toEqual([]);
  });

  it.each([
    ['a database driver in a flow', 'lib/flows/x.ts', "import postgres from 'postgres';"],
    ['an SDK in another adapter', 'lib/adapters/postgres/x.ts', "import { A } from '@aws-sdk/client-dynamodb';"],
    ['a type of an SDK in the client', 'lib/client/x.ts', "import type { A } from '@aws-sdk/client-appconfigdata';"],
    ['a built-in in core', 'lib/core/x.ts', "import { readFileSync } from 'node:fs';"],
    ['hashing elsewhere in core', 'lib/core/routing/routing.ts', "import { createHash } from 'node:crypto';"],
    ['zod in core', 'lib/core/x.ts', "import * as z from 'zod';"],
    ['a renderer in what makes the data', 'lib/dashboard/x.ts', "import { render } from 'preact';"],
    ['a built-in in the page', 'lib/dashboard/browser/x.ts', "import { join } from 'node:path';"],
    ['an unknown package', 'lib/adapters/http/x.ts', "const got = await import('got');"],
  ])('notice %s', (_, file, text) => {
    expect(wrongPackages({ file, text })).toHaveLength(1);
  });
});

// ------------------------------------------------------------------------------------------------------------ zod

/** `import { z }` brings 443 KB into a bundle, `import * as z` about 80. */
const wrongZod = (source: Source): string[] =>
  importsOf(source)
    .filter(
      ({ specifier, names, typeOnly }) => specifier.startsWith('zod') && !typeOnly && !/^\* as \w+$/.test(names.trim()),
    )
    .map(({ names }) => `${source.file}: import ${names} from zod`);

describe('zod', () => {
  it("is imported as `import * as z from 'zod'`", () => {
    expect(SHIPPED.flatMap(wrongZod)).toEqual([]);
  });

  it.each([
    "import { z } from 'zod';",
    "import z from 'zod';",
    "const z = await import('zod');",
    "import z, { a } from 'zod/v4';",
  ])('notice %s', (text) => {
    expect(wrongZod({ file: 'lib/schemas/x.ts', text })).toHaveLength(1);
  });
});

// -------------------------------------------------------------------------------------------------------- impurity

const IMPURE =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bprocess\.env\b|\bconsole\b\s*[.[]|\bperformance\.now\b/g;

/** The adapter of the machine; the client's defaults, which an application may replace; the page's clock; and what runs outside of `lib`. */
const MAY_BE_IMPURE =
  /^(lib\/adapters\/system\.ts|lib\/client\/(client|work-queue)\.ts|lib\/routing\/(agent-source|data-source)\.ts|lib\/dashboard\/browser\/feed\.ts|infra\/local\/|infra\/examples\/|infra\/docs\/main\.ts|test\/)/;

const impurities = (source: Source): string[] =>
  MAY_BE_IMPURE.test(source.file)
    ? []
    : [...codeOf(source.text).matchAll(IMPURE)].map(([found]) => `${source.file}: ${found}`);

describe('clock, chance, environment and console', () => {
  it('are touched where the machine is the subject, and nowhere else', () => {
    expect(SOURCES.flatMap(impurities)).toEqual([]);
  });

  it.each([
    'const now = Date.now();',
    'const clock = Date.now;',
    'const today = new Date( );',
    'const n = Math.random();',
    'const { HOME } = process.env;',
    "console.log('here');",
    'const text = `at $' + '{Date.now()}`;',
  ])('notice %s', (text) => {
    expect(impurities({ file: 'lib/flows/x.ts', text })).toHaveLength(1);
  });

  it.each([
    '/* Date.now() */ const a = 1;',
    '// process.env',
    "const text = 'Math.random()';",
    'const text = `console.log`;',
    'const day = new Date(nowMs);',
    "const url = 'http://x'; // Date.now()",
  ])('leave %s alone', (text) => {
    expect(impurities({ file: 'lib/flows/x.ts', text })).toEqual([]);
  });
});

// --------------------------------------------------------------------------------------------------------- barrels

const reExports = (source: Source): string[] =>
  /^lib\/(client|define)\/index\.ts$/.test(source.file)
    ? []
    : [
        ...withoutComments(source.text).matchAll(/^\s*export\s+(?:type\s+)?(?:\*|\{[^}]*\})[^;\n]*\bfrom\b[^;\n]*/gm),
      ].map(([found]) => `${source.file}: ${found.trim()}`);

describe('barrels', () => {
  it('do not exist but for the entrance of each package', () => {
    expect(SHIPPED.flatMap(reExports)).toEqual([]);
  });

  it.each(["export * from './a.ts';", "export type { A } from './a.ts';", "export { a } from './a.ts';"])(
    'notice %s',
    (text) => {
      expect(reExports({ file: 'lib/core/index.ts', text })).toHaveLength(1);
    },
  );
});

describe('the reader of these rules', () => {
  it('sees files of every layer that exists', () => {
    const seen = new Set(SHIPPED.map(({ file }) => layerOf(file)?.name));
    for (const name of [
      'core',
      'ports',
      'schemas',
      'flows',
      'routing',
      'client',
      'dynamodb',
      'compose',
      'functions',
      'configuration',
      'page',
    ])
      expect(seen).toContain(name);
  });

  it('sees imports over several lines, for effect and lazy ones', () => {
    const text =
      "import {\n  a,\n  type B,\n} from './a.ts';\nimport './b.ts';\nconst c = await import('./c.ts');\n// import './d.ts';";
    expect(importsOf({ file: 'lib/core/x.ts', text }).map(({ target }) => target)).toEqual([
      'lib/core/a.ts',
      'lib/core/b.ts',
      'lib/core/c.ts',
    ]);
  });
});
