/** The check for Java reads what `java -version` really does, and tells people what to install. */

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkJava, javaProblem, readJavaVersion } from '../../../infra/java.mjs';
import { startDynamoDb } from '../../../infra/local/dynamodb.ts';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-java-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('java -version', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6)', true, '17.0.15'],
    ['openjdk version "21" 2023-09-19', true, '21'],
    ['java version "24-ea" 2025-03-18', true, '24-ea'],
    ['Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.1" 2021-10-19', true, '17.0.1'],
    ['openjdk version "11.0.22" 2024-01-16', false, '11.0.22'],
    ['java version "1.8.0_392"', false, '1.8.0_392'],
    ['openjdk version "16" 2021-03-16', false, '16'],
    ['something else', false, 'one that does not say its version'],
  ])('that prints %j', (stderr, ok, found) => {
    expect(readJavaVersion(0, stderr)).toEqual({ ok, found });
  });

  it('is judged by its exit status too: macOS has a stub that only fails', () => {
    const stub = join(folder, 'java');
    writeFileSync(stub, '#!/bin/sh\necho \'openjdk version "17.0.1"\' >&2\nexit 1\n');
    chmodSync(stub, 0o755);
    expect(checkJava(stub)).toEqual({ ok: false, found: 'one that does not run (exit status 1)' });
  });

  it('that cannot be found is none', () => {
    expect(checkJava(join(folder, 'nothing', 'java'))).toEqual({ ok: false, found: 'none' });
  });
});

describe('without Java', () => {
  it('the server does not start and the message has a line for every system', async () => {
    const start = startDynamoDb({ java: join(folder, 'nothing', 'java') });
    await expect(start).rejects.toThrow(javaProblem('none'));
    const lines = javaProblem('none').split('\n');
    expect(lines[0]).toBe('Crossfade needs Java 17 or newer for the local DynamoDB engine. Found: none.');
    for (const system of ['Debian, Ubuntu', 'Fedora, RHEL', 'Amazon Linux', 'Arch', 'macOS', 'Windows'])
      expect(lines.filter((line) => line.startsWith(`  ${system} `))).toHaveLength(1);
  });
});
