/** Counts tests for the closing line of `npm test`; a file that could not be run counts as one failure. */

import { writeFileSync } from 'node:fs';

export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const file of modules) {
      let failedHere = 0;
      for (const test of file.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') counts.passed += 1;
        else if (state === 'failed') failedHere += 1;
        else counts.skipped += 1;
      }
      counts.failed += file.state() === 'failed' ? Math.max(1, failedHere) : failedHere;
    }
    const path = process.env.CROSSFADE_COUNTS_FILE;
    if (path) writeFileSync(path, JSON.stringify(counts));
  }
}
