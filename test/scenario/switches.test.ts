/**
 * Reads on the primary and writes off, of one cutover, in a living world: the stage stays and nothing rolls back because of it,
 * nobody reads a shadow that is not written, and what waited is there in the end.
 */

import { describe, expect, it } from 'vitest';
import { NORMAL_SWITCHES, type Switches } from '../../lib/core/cutover/cutover.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import type { MirrorRow } from '../../lib/ports/switches.ts';
import type { Plant } from '../helpers/world.ts';
import { differences, type Inside } from './oracle.ts';
import { DWELL_MINUTES, ID, READING, type Run, run, SERVING, shortTable } from './run.ts';

const toPrimary = { type: 'reads', to: 'primary', reason: 'slow pages' } as const;
const toShadow = { type: 'reads', to: 'shadow', reason: 'mended' } as const;
const writesOff = { type: 'shadow-writes', enabled: false, reason: 'load' } as const;
const writesOn = { type: 'shadow-writes', enabled: true, reason: 'calm' } as const;
const force = { type: 'advance', force: true, reason: 'now' } as const;

/** A table whose lag alone would roll it back. */
const touchy = () =>
  run({ cutovers: [shortTable({ alerts: [{ id: 'lag', value: 60_000, action: 'rollback' }] })], load: { weight: 20 } });

type Table = Inside & { mirror: MirrorRow; hints: unknown[]; backfill: { rowsDone: number } };
const inside = ({ tables }: Run['w']) => tables.rows(ID) as unknown as Table;
const unequal = (w: Run['w']) => differences(inside(w).authoritative, inside(w).follower);
describe('reads on the primary', () => {
  it.each(READING)(
    'in %s: the stage stays for an hour, the shadow stays equal, and its readers come back',
    async (stage) => {
      const scene = touchy();
      await scene.reach(stage);
      await scene.minutes(2);
      const share = scene.w.served()!.cutovers[ID]!.read_ppm;
      // As urgent as a rollback: what is being deployed does not stand in the way.
      scene.w.flags.block();
      const answered = await scene.accepted(toPrimary);
      expect(answered).toMatchObject({ answer: { stage, sharePpm: 0 }, published: true });
      expect(scene.w.served()!.cutovers[ID]).toMatchObject({ stage, read_ppm: 0, shadow_writes: true });
      expect(inside(scene.w).mirror).toMatchObject({ readPpm: 0, shadowWrites: true });
      await scene.minutes(60);
      expect(scene.nobodyReadsTheShadow()).toBe(true);
      expect(scene.stage()).toBe(stage);
      expect(await scene.held()).toEqual(['shadow_reads']);
      for (const command of [force, { type: 'complete', confirm: ID, force: true, reason: 'now' } as const])
        expect(await scene.w.operate(ID, command)).toMatchObject({ ok: false });
      scene.o.checkQuiet();

      await scene.accepted(toShadow);
      expect(scene.w.served()!.cutovers[ID]!.read_ppm).toBe(share);
      expect(inside(scene.w).mirror).toMatchObject({ readPpm: share });
      // The proof begins anew: the stage is not left before it was lived through once more.
      await scene.minutes(DWELL_MINUTES - 1);
      expect(scene.stage()).toBe(stage);
      if (stage !== 'full_100') await scene.until(READING[READING.indexOf(stage) + 1]!, 120);
      expect(scene.o.state(ID)).toMatchObject({ rollback: null });
    },
  );

  it('for some minutes, at any moment and as often as one likes, rolls nothing back', async () => {
    for (const seed of [1, 2, 3]) {
      const scene = run({ seed, load: { weight: 20 } });
      await scene.reach(READING[seed - 1]!);
      for (let i = 0; i < 8; i += 1) {
        const [from, minutes] = [Math.floor(scene.w.random() * 16), 1 + Math.floor(scene.w.random() * 6)];
        for (const command of [toPrimary, toShadow]) {
          await scene.w.minute(async (moment) => {
            if (moment !== from) return;
            const answered = await scene.w.operate(ID, command);
            expect(answered.ok || command === toShadow).toBe(true);
          });
          for (let minute = 1; minute < minutes; minute += 1) await scene.w.minute();
          scene.o.check();
        }
      }
      expect(scene.o.state(ID)).toMatchObject({ rollback: null });
    }
  });

  it('a shadow that swallows its reads is still found once they are back', async () => {
    const scene = run({ load: { weight: 20 } });
    await scene.reach('r50');
    await scene.accepted(toPrimary);
    await scene.minutes(10);
    await scene.accepted(toShadow);
    scene.w.app.silent.add('shadow');
    await scene.until('rolled_back', 60);
    expect(scene.o.state(ID).rollback?.reason).toContain('reads came to the shadow');
  });

  it('a rollback and a stop put the switches back', async () => {
    const scene = run();
    await scene.reach('r10');
    await scene.accepted(writesOff);
    expect(scene.o.state(ID).switches).toMatchObject({ shadowReads: false, shadowWrites: false });
    await scene.accepted({ type: 'rollback', reason: 'enough' });
    expect(scene.o.state(ID).switches).toEqual({ shadowReads: true, shadowWrites: true, sinceMs: 0 });
  });

  it('after promotion both switches are refused, each with its reason', async () => {
    const scene = run();
    await scene.reach('completed');
    expect(await scene.w.operate(ID, toPrimary)).toMatchObject({ code: 'illegal_transition' });
    const refused = await scene.w.operate(ID, writesOff);
    expect(refused).toMatchObject({ code: 'illegal_transition', message: expect.stringContaining('the way back') });
    expect(scene.w.served()!.cutovers[ID]).toMatchObject({ shadow_is_primary: true, shadow_writes: true });
  });
});

describe('writes off', () => {
  it.each(SERVING)(
    'in %s: changes wait, nobody reads, nothing moves; on again, both sides are equal',
    async (stage) => {
      const scene = touchy();
      await scene.reach(stage);
      await scene.minutes(3);
      await scene.accepted(writesOff);
      expect(scene.w.served()!.cutovers[ID]).toMatchObject({ stage, read_ppm: 0, shadow_writes: false });
      expect(scene.w.served()!.system.shadow_writes_enabled).toBe(true);
      const before = new Map(inside(scene.w).follower);
      await scene.minutes(30);
      expect(inside(scene.w).follower).toEqual(before);
      expect(scene.stage()).toBe(stage);
      expect(await scene.held()).toContain('shadow_writes');
      expect(unequal(scene.w)).not.toEqual([]);
      expect(await scene.w.operate(ID, force)).toMatchObject({ ok: false });
      if (stage !== 'dual_write') expect(await scene.w.operate(ID, toShadow)).toMatchObject({ code: 'held' });

      await scene.accepted(writesOn);
      if (stage !== 'dual_write') {
        // What waited is not there yet.
        expect(await scene.w.operate(ID, toShadow)).toMatchObject({
          code: 'held',
          message: expect.stringContaining('The oldest un-applied change'),
        });
        await scene.minutes(2);
        await scene.accepted(toShadow);
      }
      await scene.minutes(5);
      scene.o.checkQuiet();
      expect(unequal(scene.w)).toEqual([]);
      expect(scene.o.state(ID)).toMatchObject({ rollback: null });
    },
  );

  it('waits for the readers: flags that cannot be deployed keep the shadow written, and the same request goes on later', async () => {
    const scene = run();
    await scene.reach('r50');
    scene.w.flags.unavailable(true);
    const asked = [ID, writesOff, { key: 'off', basedOn: scene.o.state(ID).version }] as const;
    expect(await scene.w.operate(...asked)).toMatchObject({
      code: 'held',
      message: expect.stringContaining('on their way'),
    });
    expect(scene.o.state(ID)).toMatchObject({ switches: { shadowReads: false, shadowWrites: true } });
    await scene.minutes(1);
    expect(unequal(scene.w)).toEqual([]);
    scene.w.flags.unavailable(false);
    await scene.minutes(1);
    for (let times = 0; times < 2; times += 1) expect(await scene.w.operate(...asked)).toMatchObject({ ok: true });
    expect(scene.o.state(ID)).toMatchObject({ switches: { shadowReads: false, shadowWrites: false } });
    expect(scene.o.entries(ID).filter(({ event }) => event.type.endsWith('_switched'))).toHaveLength(2);
  });

  it('the copy of existing rows waits, and goes on', async () => {
    const scene = run();
    scene.w.faults.backfill = false;
    await scene.reach('dual_write');
    await scene.accepted(writesOff);
    scene.w.faults.backfill = true;
    await scene.minutes(5);
    expect(inside(scene.w).backfill.rowsDone).toBe(0);
    await scene.accepted(writesOn);
    await scene.minutes(3);
    scene.o.checkQuiet();
  });
});

describe('negative controls', () => {
  const planted = async (plant: Plant, begins: (scene: Run) => void = () => {}) => {
    const scene = run({ plant });
    begins(scene);
    await scene.reach('r50');
    await scene.w.operate(ID, writesOff);
    for (let i = 0; i < 3; i += 1) await scene.w.minute();
    await scene.w.operate(ID, writesOn);
    for (let i = 0; i < 3; i += 1) await scene.w.minute();
    return scene;
  };

  it('a switch that drops what waits: the tables differ', async () => {
    let its: Run;
    const plant: Plant = {
      ports: (ports) => ({
        ...ports,
        switches: {
          ...ports.switches,
          async mirror(row) {
            const table = inside(its.w);
            if (table.mirror?.shadowWrites === false) table.hints.length = 0;
            return ports.switches.mirror(row);
          },
        },
      }),
    };
    const scene = await planted(plant, (begun) => {
      its = begun;
    });
    expect(unequal(scene.w)).not.toEqual([]);
  });

  /** A tick that takes the switches for something else than they are. */
  const blind = (seen: (switches: Switches) => Switches): Plant => ({
    tick: (ports, declarations) => {
      const turned = <T extends object>(state: T) =>
        'switches' in state ? { ...state, switches: seen(state.switches as Switches) } : state;
      const readCutover: typeof ports.state.readCutover = async (id) => {
        const state = await ports.state.readCutover(id);
        return state && turned(state);
      };
      const readAll: typeof ports.state.readAll = async () => (await ports.state.readAll()).map(turned);
      return tick({ ...ports, state: { ...ports.state, readCutover, readAll } }, declarations);
    },
  });

  it('a tick that judges reads which were sent away as if they were missing: it rolls back', async () => {
    let sentAway = false;
    const plant: Plant = {
      ...blind(() => NORMAL_SWITCHES),
      // Readers go where the switch says, whatever the tick thinks of it.
      ports: (ports) => ({
        ...ports,
        flags: {
          ...ports.flags,
          publish: (request) => {
            const flag = request.document.cutovers[ID]!;
            const cutovers = { [ID]: { ...flag, read_ppm: sentAway ? 0 : flag.read_ppm } };
            return ports.flags.publish({ ...request, document: { ...request.document, cutovers } });
          },
        },
      }),
    };
    const scene = run({ plant, load: { weight: 20 } });
    await scene.reach('r50');
    sentAway = true;
    await scene.accepted(toPrimary);
    for (let i = 0; i < 40; i += 1) await scene.w.minute();
    expect(scene.o.state(ID).rollback?.reason).toContain('of the reads came to the shadow');
  });

  it('a tick that takes the proof of before for a proof of now: the stage is left at once', async () => {
    const scene = run({ plant: blind((switches) => ({ ...switches, sinceMs: 0 })), load: { weight: 20 } });
    await scene.reach('r50');
    await scene.minutes(DWELL_MINUTES - 1);
    await scene.accepted(toPrimary);
    await scene.minutes(5);
    await scene.accepted(toShadow);
    for (let i = 1; i < DWELL_MINUTES; i += 1) await scene.w.minute();
    expect(scene.stage()).toBe('full_100');
  });

  it('flags that go on to send readers to the shadow: they are seen there', async () => {
    const scene = await planted({
      ports: (ports) => ({
        ...ports,
        flags: {
          ...ports.flags,
          publish: (request) => {
            const flag = request.document.cutovers[ID]!;
            const shown = flag.stage === 'r50' ? { ...flag, read_ppm: 500_000 } : flag;
            return ports.flags.publish({ ...request, document: { ...request.document, cutovers: { [ID]: shown } } });
          },
        },
      }),
    });
    expect(() => scene.o.check()).toThrow(/I41/);
  });
});
