/**
 * How large a file, a function and a list of parameters may be. What is one table, or the text of one function of the
 * database, may be longer: those files are named here, each with the reason, and only as long as they need it.
 */

import { describe, expect, it } from 'vitest';
import { readSources } from '../../helpers/imports.ts';
import { type Measured, measure } from '../../helpers/measure.ts';

const FILE_LINES = 300;
const FUNCTION_LINES = 80;
const PARAMETERS = 4;

const LONG: Readonly<Record<string, string>> = {
  'lib/core/table/sql/capture.ts': 'the SQL of one trigger',
  'lib/core/table/sql/converge.ts': 'the SQL of one function',
  'lib/core/table/sql/verify.ts': 'the SQL of one function',
};

type Finding = { file: string; what: string };

const tooLong = ({ files, functions }: Measured): Finding[] => [
  ...files
    .filter(({ lines }) => lines > FILE_LINES)
    .map(({ file, lines }) => ({ file, what: `it has ${lines} lines` })),
  ...functions
    .filter(({ lines }) => lines > FUNCTION_LINES)
    .map(({ file, name, lines }) => ({ file, what: `${name} has ${lines} lines` })),
];

const tooManyParameters = ({ functions }: Measured): Finding[] =>
  functions
    .filter(({ parameters }) => parameters > PARAMETERS)
    .map(({ file, name, parameters }) => ({ file, what: `${name} has ${parameters} parameters` }));

const MEASURED = measure(readSources(['lib', 'functions', 'infra']));

describe('a file', () => {
  const found = tooLong(MEASURED);

  it(`has at most ${FILE_LINES} lines, and its functions at most ${FUNCTION_LINES}`, () => {
    expect(found.filter(({ file }) => !(file in LONG))).toEqual([]);
  });

  it('is excused only as long as it needs it', () => {
    expect(Object.keys(LONG).filter((name) => !found.some(({ file }) => file === name))).toEqual([]);
  });
});

describe('a function', () => {
  it(`takes at most ${PARAMETERS} parameters`, () => {
    expect(tooManyParameters(MEASURED)).toEqual([]);
  });
});

describe('the measuring', () => {
  const source = (text: string) => measure([{ file: 'lib/x.ts', text }]);
  const body = (statements: number) => `{\n${'  step();\n'.repeat(statements)}}`;

  it('notices a file with a line too many, and none without it', () => {
    expect(tooLong(source('step();\n'.repeat(FILE_LINES)))).toEqual([]);
    expect(tooLong(source('step();\n'.repeat(FILE_LINES + 1)))).toEqual([
      { file: 'lib/x.ts', what: `it has ${FILE_LINES + 1} lines` },
    ]);
  });

  it.each([
    ['a function', 'run', (inside: string) => `export async function run(): Promise<void> ${inside}`],
    ['an arrow function', 'run', (inside: string) => `const run = () => ${inside};`],
    ['a method of an object', 'run', (inside: string) => `const port = { run() ${inside} };`],
    ['a property', 'run', (inside: string) => `const port = { run: async () => ${inside} };`],
    ['a method of a class', 'run', (inside: string) => `class Port { run() ${inside} }`],
    ['a constructor', 'constructor', (inside: string) => `class Port { constructor() ${inside} }`],
    ['an argument', 'a function without a name', (inside: string) => `call(function () ${inside});`],
  ])('notices %s with a line too many, and none without it', (_, name, text) => {
    expect(tooLong(source(text(body(FUNCTION_LINES - 2))))).toEqual([]);
    expect(tooLong(source(text(body(FUNCTION_LINES - 1))))).toEqual([
      { file: 'lib/x.ts', what: `${name} has ${FUNCTION_LINES + 1} lines` },
    ]);
  });

  it.each([
    ['a function', (list: string) => `function run(${list}) {}`],
    ['an arrow function', (list: string) => `const run = (${list}) => {};`],
    ['a method', (list: string) => `const port = { run(${list}) {} };`],
  ])('notices %s with a parameter too many, and none without it', (_, text) => {
    expect(tooManyParameters(source(text('a, { b }: B, c = 1, ...d: number[]')))).toEqual([]);
    expect(tooManyParameters(source(text('a, { b }: B, c = 1, d?: number, ...e: number[]')))).toEqual([
      { file: 'lib/x.ts', what: 'run has 5 parameters' },
    ]);
  });
});
