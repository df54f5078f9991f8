/**
 * `npm run chaos`: breaks things, one scene after the other, each round with another seed.
 *
 *   npm run chaos                                      each scene once
 *   npm run chaos -- --minutes 60                      rounds begin until the time is over
 *   npm run chaos -- --scene kills --seed 7
 *   npm run chaos -- --plant epoch-not-compared        a fault that must be noticed; ends with 0 when it is
 *
 * A round that fails says how to repeat it, and the run ends with 1.
 */

import { parseArgs } from 'node:util';
import { PLANTS, planted } from './plants.ts';
import { type Round, rounds } from './rounds.ts';
import { SCENES, type SceneName } from './scenes.ts';

const MINUTE_MS = 60_000;
/** A fault that is planted must be noticed by then. */
const PLANT_MINUTES = 3;
const SHOWN = 4_000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 20)) },
      scene: { type: 'string', multiple: true },
      plant: { type: 'string' },
    },
  });
  const plant = values.plant === undefined ? null : PLANTS[values.plant];
  if (plant === undefined) return refused(`No fault is called '${values.plant}'. Faults: ${names(PLANTS)}.`);
  const minutes = values.minutes === undefined ? (plant ? PLANT_MINUTES : null) : Number(values.minutes);
  const seed = Number(values.seed);
  if ((minutes !== null && !(minutes > 0)) || !Number.isSafeInteger(seed))
    return refused('--minutes is more than 0, --seed a whole number.');
  const scenes = (plant ? [plant.scene] : (values.scene ?? Object.keys(SCENES))) as SceneName[];
  const unknown = scenes.find((name) => !Object.hasOwn(SCENES, name));
  if (unknown !== undefined) return refused(`No scene is called '${unknown}'. Scenes: ${names(SCENES)}.`);

  const howLong = minutes === null ? 'each scene once' : `${minutes} min`;
  console.log(`Chaos, ${howLong}, from seed ${seed}${plant ? `, with the fault '${values.plant}'` : ''}.`);
  const endMs = Date.now() + (minutes ?? 0) * MINUTE_MS;
  const isOver = (count: number) => (minutes === null ? count === scenes.length : Date.now() > endMs);
  const played: Round[] = [];
  for await (const round of rounds(scenes, seed, plant && planted(plant))) {
    played.push(round);
    tell(round);
    if (!round.held || isOver(played.length)) break;
  }
  const failed = played.find(({ held }) => !held);
  if (plant) return noticed(failed, plant.notices, played);
  if (failed) console.log(`Repeat it: npm run chaos -- --scene ${failed.scene} --seed ${failed.seed}`);
  table(played, scenes);
  return failed ? 1 : 0;
}

const names = (table: object) => Object.keys(table).join(', ');
const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
const timeOf = (played: readonly Round[]) => seconds(played.reduce((sum, { tookMs }) => sum + tookMs, 0));

function refused(why: string): number {
  console.error(why);
  return 2;
}

function tell({ scene, seed, held, tookMs, said }: Round): void {
  console.log(`${scene.padEnd(12)} seed ${seed}  ${held ? 'held' : 'FAILED'} after ${seconds(tookMs)}`);
  if (!held) console.log(said.slice(-SHOWN));
}

/** By the check that is there for it; whatever else fails does not count. */
function noticed(failed: Round | undefined, by: RegExp, played: readonly Round[]): number {
  const found = failed?.said.match(by)?.[0];
  if (found) console.log(`The fault was noticed after ${timeOf(played)}: ${found}`);
  else
    console.log(failed ? `The round failed, but not by what notices this fault: ${by}` : 'The fault was not noticed.');
  return found ? 0 : 1;
}

function table(played: readonly Round[], scenes: readonly SceneName[]): void {
  for (const scene of scenes) {
    const own = played.filter((round) => round.scene === scene);
    if (own.length === 0) continue;
    const held = own.filter((round) => round.held).length;
    const { breaks, checks } = SCENES[scene];
    console.log(`\n${scene}: ${held} of ${own.length} rounds held, ${timeOf(own)}`);
    console.log(`  breaks  ${breaks}\n  checks  ${checks}`);
  }
  const unplayed = scenes.filter((name) => !played.some(({ scene }) => scene === name));
  if (unplayed.length > 0) console.log(`\nNot played: ${unplayed.join(', ')}.`);
}

process.exitCode = await main();
