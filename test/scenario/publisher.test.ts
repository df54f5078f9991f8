/**
 * The flows beside the database and the publisher outside of its network, in one world: AppConfig is reached by the publisher alone.
 * It is away for some minutes; and a request that the states have overtaken sends nobody to a shadow.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initialState } from '../../lib/core/cutover/cutover.ts';
import { flagDocument } from '../../lib/core/routing/flags.ts';
import { changeSystem } from '../../lib/flows/control/change-system.ts';
import type { OperatorCommand } from '../../lib/flows/control/operate.ts';
import { emergencyStop } from '../../lib/flows/control/stop.ts';
import { publishFlags } from '../../lib/flows/publishing/publish-flags.ts';
import { watchFlags } from '../../lib/flows/publishing/watch-flags.ts';
import { report } from '../../lib/flows/report/report.ts';
import type { FlagRequests } from '../../lib/ports/flag-requests.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { inMemoryRequests } from '../helpers/fakes/flag-requests.ts';
import { type Fault, sourceMutant } from '../helpers/source-mutant.ts';
import { DWELL_MINUTES, ID, run } from './run.ts';

type Publishing = typeof publishFlags;

/** A run whose flows ask a publisher for flags. It is woken by each change of a state and each request, unless it is away. */
function runWithPublisher(publish: Publishing = publishFlags) {
  const is = { away: false, streamSilent: false };
  let publisher: (Ports & { flagRequests: FlagRequests }) | null = null;
  const look = async () => {
    if (!is.away) await publish(publisher!, scene.w.cutovers);
  };
  const wake = async () => {
    if (!is.streamSilent) await look();
  };
  const plant = {
    ports(ports: Ports): Ports {
      const { asked, sightings, requests } = inMemoryRequests(() => ports.clock.now(), wake);
      publisher = { ...ports, realNow: () => ports.clock.now(), flagRequests: requests };
      const waking =
        <Change, Result>(write: (change: Change) => Promise<Result>) =>
        async (change: Change) => {
          const result = await write(change);
          await wake();
          return result;
        };
      const { writeCutover, writeSystem } = ports.state;
      const state = { ...ports.state, writeCutover: waking(writeCutover), writeSystem: waking(writeSystem) };
      return { ...ports, state, flags: asked, sightings };
    },
  };
  const scene: ReturnType<typeof run> = run({ plant });
  return {
    ...scene,
    is,
    look,
    publisher: () => publisher!,
    /** Minutes with the publisher's schedule. */
    live: (minutes: number) => scene.minutes(minutes, look),
    /** Minutes without the oracle, for which flags that do not follow are wrong whatever the cause. */
    async pass(minutes: number) {
      for (let i = 0; i < minutes; i += 1) {
        await look();
        await scene.w.minute();
      }
    },
    async reachStage(stage: string) {
      await look();
      await scene.minutes(2, look);
      await scene.accepted({ type: 'start' });
      await scene.until(stage, 60, look);
    },
  };
}

const readsOf = ({ w }: ReturnType<typeof runWithPublisher>) => w.served()?.cutovers[ID]?.read_ppm ?? 0;

describe('a publisher outside of the network', () => {
  it('carries a cutover through all of its stages', async () => {
    const scene = runWithPublisher();
    await scene.reachStage('full_100');
    await scene.live(DWELL_MINUTES + 3);
    await scene.accepted({ type: 'complete', confirm: ID });
    await scene.live(2);
    expect(scene.stage()).toBe('completed');
    scene.o.checkQuiet();
  });

  it.each(['r10', 'full_100'])(
    'in %s, away for five minutes: nothing advances, and status says that it waits',
    async (stage) => {
      const scene = runWithPublisher();
      await scene.reachStage(stage);
      await scene.live(3);
      scene.is.away = true;
      // What has been written down is believed for two and a half minutes; at most one step fits in there.
      await scene.pass(3);
      const { version } = scene.o.state(ID);
      await scene.pass(2 + DWELL_MINUTES);
      expect(scene.o.state(ID).version).toBe(version);
      expect(await scene.held()).toContain('flags');
      const said = await report(scene.w.ports, scene.w.cutovers);
      expect(said.flags.reachable).toBe(false);
      expect(JSON.stringify(said.cutovers)).toContain('they wait for the publisher');
    },
  );

  it.each(['r10', 'full_100'])(
    'in %s, a rollback is taken while it is away, and carried out as soon as it is back',
    async (stage) => {
      const scene = runWithPublisher();
      await scene.reachStage(stage);
      scene.is.away = true;
      await scene.live(5);
      const answer = await scene.accepted({ type: 'rollback', reason: 'slow pages' });
      expect(answer).toMatchObject({ answer: { stage: 'rolled_back' }, published: false });
      await scene.live(1);
      // Below the reads nothing is taken away while the flags may still send readers there.
      expect(scene.o.state(ID).stage).toBe('rolled_back');
      expect((await scene.w.ports.inspecting.status(ID))?.mirror?.stage).not.toBe('rolled_back');
      expect(readsOf(scene)).toBeGreaterThan(0);
      scene.is.away = false;
      await scene.look();
      expect(readsOf(scene)).toBe(0);
      await scene.live(1);
      expect((await scene.w.ports.inspecting.status(ID))?.mirror?.stage).toBe('rolled_back');
      expect(scene.nobodyReadsTheShadow()).toBe(true);
      scene.o.checkQuiet();
    },
  );

  it('finds a stop by itself while the stream is silent, in the minute of its schedule', async () => {
    const scene = runWithPublisher();
    await scene.reachStage('r50');
    scene.is.streamSilent = true;
    const { clock } = scene.w;
    let looks = 0;
    const sleeping = {
      ...scene.publisher(),
      clock: {
        ...clock,
        async sleep() {
          looks += 1;
          if (looks === 2) await emergencyStop(scene.w.ports, scene.w.cutovers, { reason: 'fire', actor: 'ada' });
        },
      },
    };
    expect(readsOf(scene)).toBeGreaterThan(0);
    await watchFlags(sleeping, scene.w.cutovers, clock.monotonicMs() + 100_000);
    // Without readers on a shadow there is nothing to look out for.
    expect(looks).toBe(2);
    expect(readsOf(scene)).toBe(0);
  });
});

describe('the law: never more reads on a shadow than the states allow', () => {
  const PUBLISH = 'lib/flows/publishing/publish-flags.ts';
  type Deed = 'request' | 'advance' | 'rollback' | 'stop' | 'look';

  /** As break-glass leaves it: nothing but the state says so. */
  const stopInState = ({ w }: ReturnType<typeof runWithPublisher>) =>
    changeSystem(w.ports, () => [{ type: 'system_changed', change: { emergencyStop: true }, reason: 'fire' }], {
      nowMs: w.clock.now(),
      actor: 'ada',
    });

  async function live(publish: Publishing, deeds: readonly Deed[]): Promise<void> {
    const scene = runWithPublisher(publish);
    await scene.reachStage('r10');
    scene.is.streamSilent = true;
    const { request, allowed } = laterRequests(scene);
    for (const deed of deeds) {
      if (deed === 'request') await request();
      else if (deed === 'look') await scene.look();
      else if (deed === 'stop') await stopInState(scene);
      else await scene.w.operate(ID, { type: deed, force: true, reason: 'x' } as OperatorCommand);
      if (deed === 'look') expect(readsOf(scene)).toBeLessThanOrEqual(await allowed());
    }
  }

  /** Requests that are left, and answered at a later look. */
  function laterRequests(scene: ReturnType<typeof runWithPublisher>) {
    const flagsNow = async () => {
      const [declaration] = scene.w.cutovers;
      const state = (await scene.w.state.readCutover(ID)) ?? initialState(declaration!);
      return flagDocument([{ declaration: declaration!, state }], await scene.w.state.readSystem());
    };
    const request = async () => {
      const document = await flagsNow();
      return scene.w.ports.flags.publish({ document, latestVersion: 0, urgent: false, deadlineMs: 60_000 });
    };
    return { request, allowed: async () => (await flagsNow()).cutovers[ID]!.read_ppm };
  }

  it('holds whatever is asked for, and whatever the states do meanwhile', async () => {
    const deeds = fc.array(fc.constantFrom<Deed>('request', 'advance', 'rollback', 'stop', 'look'), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(deeds, (some) => live(publishFlags, some)),
      { numRuns: 8, seed: 16 },
    );
  });

  const STAYS = [PUBLISH, '(await lowerReads(ports, desired, found)) ?? found', 'found'] as const;
  const OVERTAKEN = [PUBLISH, 'if (takesAway(document, desired))', 'if (false)'] as const;
  const mutant = async (...faults: Fault[]) =>
    (await sourceMutant<{ publishFlags: Publishing }>([PUBLISH], faults)).publishFlags;

  it('would be noticed if reads did not leave by themselves: a stop that is only in the state', async () => {
    await live(publishFlags, ['stop', 'look']);
    await expect(live(await mutant(STAYS), ['stop', 'look'])).rejects.toThrow('to be less than or equal to');
  });

  it('even where reads cannot leave, no request that a stop has overtaken is carried out', async () => {
    const readsAfter = async (publish: Publishing) => {
      const scene = runWithPublisher(publish);
      await scene.reachStage('r10');
      scene.is.streamSilent = true;
      await scene.w.operate(ID, { type: 'advance', force: true, reason: 'x' });
      await stopInState(scene);
      await scene.look();
      return readsOf(scene);
    };
    expect(await readsAfter(await mutant(STAYS))).toBe(100_000);
    expect(await readsAfter(await mutant(STAYS, OVERTAKEN))).toBe(500_000);
  });
});
