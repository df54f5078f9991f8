/** How deployed flags come to say what the state says: newer ones are never overwritten, and reads that must go go first. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareFlagAge, type FlagDocument, sameDocument } from '../../../lib/core/routing/flags.ts';
import { lowerReads, publishFlags } from '../../../lib/flows/control/deployed-flags.ts';
import type { FlagPublisher } from '../../../lib/ports/flags.ts';
import { flagOf, systemFlagOf } from '../../property/samples.ts';

const flag = fc
  .record({
    epoch: fc.integer({ min: 1, max: 2 }),
    version: fc.integer({ min: 1, max: 2 }),
    read_ppm: fc.constantFrom(0, 10_000, 1_000_000),
  })
  .map(flagOf);
const anyDocument: fc.Arbitrary<FlagDocument> = fc.record({
  system: fc.record({ version: fc.integer({ min: 1, max: 2 }), emergency_stop: fc.boolean() }).map(systemFlagOf),
  cutovers: fc.dictionary(fc.constantFrom('a', 'b', 'c'), flag, { noNullPrototype: true }),
});
const deployedDocument = fc.option(anyDocument, { freq: 8 });

type Request = Parameters<FlagPublisher['publish']>[0];

/** Deploys whatever is asked, and remembers it. */
function publisher() {
  const asked: Request[] = [];
  const flags: FlagPublisher = {
    deployed: async () => ({ document: null, latestVersion: 0 }),
    publish: async (request) => {
      asked.push(request);
      return { kind: 'published', version: request.latestVersion + 1 };
    },
  };
  return { asked, ports: { flags, log: { event: () => {}, failure: () => {} } } };
}

const isNewer = (there: FlagDocument, desired: FlagDocument) =>
  there.system.version > desired.system.version ||
  Object.entries(there.cutovers).some(([id, old]) => {
    const next = desired.cutovers[id];
    return next !== undefined && compareFlagAge(old, next) > 0;
  });
const takenFrom = (there: FlagDocument, desired: FlagDocument) =>
  Object.keys(desired.cutovers).filter((id) => desired.cutovers[id]!.read_ppm < (there.cutovers[id]?.read_ppm ?? 0));
const isStopped = ({ system }: FlagDocument) => system.emergency_stop;

describe('flags that are published', () => {
  it('are those of the state, unless newer ones are deployed; a running deployment is stopped only to take reads away', async () => {
    await fc.assert(
      fc.asyncProperty(deployedDocument, anyDocument, async (document, desired) => {
        const { asked, ports } = publisher();
        const result = await publishFlags(ports, desired, { document, latestVersion: 4 });
        if (document && sameDocument(document, desired)) {
          expect([asked, result]).toEqual([[], { published: true }]);
        } else if (document && isNewer(document, desired)) {
          expect([asked, result.published]).toEqual([[], false]);
        } else {
          const urgent =
            document === null ||
            takenFrom(document, desired).length > 0 ||
            (isStopped(desired) && !isStopped(document));
          expect(asked).toMatchObject([{ document: desired, latestVersion: 4, urgent }]);
          expect(result).toEqual({ published: true });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('are none while it is not known what is deployed', async () => {
    const { asked, ports } = publisher();
    expect(await publishFlags(ports, { system: systemFlagOf(), cutovers: {} }, null)).toMatchObject({
      published: false,
    });
    expect(asked).toEqual([]);
  });
});

describe('reads that must go', () => {
  it('are taken away first and at once, and nothing else is changed by that', async () => {
    await fc.assert(
      fc.asyncProperty(deployedDocument, anyDocument, async (document, desired) => {
        const { asked, ports } = publisher();
        const deployed = { document, latestVersion: 4 };
        const after = await lowerReads(ports, desired, deployed);
        const gone = document ? takenFrom(document, desired) : [];
        const stops = document !== null && isStopped(desired) && !isStopped(document);
        if (!document || isNewer(document, desired) || !(stops || gone.length > 0)) {
          expect([asked, after]).toEqual([[], deployed]);
          return;
        }
        expect(asked).toMatchObject([{ latestVersion: 4, urgent: true }]);
        const lowered = asked[0]!.document;
        expect(after).toEqual({ document: lowered, latestVersion: 5 });
        for (const [id, old] of Object.entries(document.cutovers))
          expect(lowered.cutovers[id]).toEqual(gone.includes(id) ? desired.cutovers[id] : old);
        expect(Object.keys(lowered.cutovers)).toEqual(Object.keys(document.cutovers));
        // A stop that is lifted would send readers back.
        expect(lowered.system).toEqual(isStopped(document) && !isStopped(desired) ? document.system : desired.system);
      }),
      { numRuns: 200 },
    );
  });
});
