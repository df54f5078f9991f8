/** Headless Chromium for page tests. Where it is not installed the tests pass with a message, but not in CI. */

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';

export async function launchChromium(): Promise<Browser | null> {
  if (existsSync(EXECUTABLE)) {
    return chromium.launch({
      executablePath: EXECUTABLE,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    });
  }
  const missing = `${EXECUTABLE} is not installed, so the page was not tried in a browser. Debian: apt-get install -y --no-install-recommends chromium`;
  if (process.env.CI === 'true') throw new Error(missing);
  console.warn(missing);
  return null;
}
