/**
 * `npm run chaos`: breaks things, one scene after the other, each round with another seed.
 *
 *   npm run chaos                                      each scene once
 *   npm run chaos -- --minutes 60                      rounds begin until the time is over
 *   npm run chaos -- --scene kills --seed 7
 *   npm run chaos -- --plant epoch-not-compared        a fault that must be noticed; ends with 0 when it is
 *
 * The seed says in which order the scenes come; none comes again before all of them have. A round that fails says how to repeat it, and
 * the run ends with 1.
 */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { replaceOnce } from '../helpers/replace-once.ts';
import { seeded } from '../property/samples.ts';
import { PLANTS } from './plants.ts';
import { SCENES, type Scene, type SceneName } from './scenes.ts';

const ROOT = process.cwd();
const MINUTE_MS = 60_000;
/** A fault that is planted must be noticed by then. */
const PLANT_MINUTES = 3;
/** From one round's seed to the next: tests that play several seeds count on from theirs. */
const SEED_STEP = 100;
/** Of what a round has printed; its end says what failed. */
const SHOWN = 4_000;

type Round = { scene: SceneName; seed: number; ok: boolean; tookMs: number };

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
  const minutes = values.minutes === undefined ? (plant ? PLANT_MINUTES : null) : Number(values.minutes);
  const first = Number(values.seed);
  if ((minutes !== null && !(minutes > 0)) || !Number.isSafeInteger(first))
    return refused('--minutes is more than 0, --seed a whole number.');
  if (plant === undefined) return refused(`Faults: ${Object.keys(PLANTS).join(', ')}.`);
  const scenes = (plant ? [plant.scene] : (values.scene ?? Object.keys(SCENES))) as SceneName[];
  const unknown = scenes.find((name) => !Object.hasOwn(SCENES, name));
  if (unknown !== undefined)
    return refused(`No scene is called '${unknown}'. Scenes: ${Object.keys(SCENES).join(', ')}.`);

  const planted = plant && {
    file: plant.file,
    text: plant.changes.reduce(
      (text, change) => replaceOnce(text, change, plant.file),
      readFileSync(join(ROOT, plant.file), 'utf8'),
    ),
  };
  const env: Record<string, string> = planted ? { CROSSFADE_MUTANT: JSON.stringify(planted) } : {};
  const howLong = minutes === null ? 'each scene once' : `${minutes} min`;
  console.log(`Chaos, ${howLong}, from seed ${first}${values.plant ? `, with the fault '${values.plant}'` : ''}.`);
  const rounds = await rounded(scenes, first, minutes === null ? null : minutes * MINUTE_MS, env);
  const failed = rounds.filter(({ ok }) => !ok);
  if (!plant) table(rounds, scenes);
  if (plant && failed.length === 0) console.log('The fault was not noticed.');
  if (plant && failed.length > 0)
    console.log(`The fault was noticed after ${seconds(rounds.reduce((sum, { tookMs }) => sum + tookMs, 0))}.`);
  return failed.length > 0 === (plant !== null) ? 0 : 1;
}

function refused(why: string): number {
  console.error(why);
  return 2;
}

/** Until the time is over or something fails; each scene once when no time is given. */
async function rounded(
  scenes: readonly SceneName[],
  first: number,
  lastsMs: number | null,
  env: Record<string, string>,
): Promise<Round[]> {
  const rounds: Round[] = [];
  const beganMs = Date.now();
  const goesOn = () => (lastsMs === null ? rounds.length < scenes.length : Date.now() - beganMs < lastsMs);
  for (let seed = first; ; seed += SEED_STEP) {
    for (const scene of shuffled(scenes, seed)) {
      if (!goesOn()) return rounds;
      const startedMs = Date.now();
      const { ok, said } = await play(SCENES[scene], { ...env, CROSSFADE_SEED: String(seed) });
      const tookMs = Date.now() - startedMs;
      rounds.push({ scene, seed, ok, tookMs });
      console.log(`${scene.padEnd(12)} seed ${seed}  ${ok ? 'held' : 'FAILED'} after ${seconds(tookMs)}`);
      if (ok) continue;
      console.log(said.slice(-SHOWN));
      if (env.CROSSFADE_MUTANT === undefined)
        console.log(`Repeat it: npm run chaos -- --scene ${scene} --seed ${seed}`);
      return rounds;
    }
  }
}

/** Each of them once. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = seeded(seed);
  const left = [...items];
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0]!);
}

function play(
  { project, tests, named, env: own = {} }: Scene,
  env: Record<string, string>,
): Promise<{ ok: boolean; said: string }> {
  const words = [
    'run',
    '--project',
    project,
    '--bail=1',
    ...tests.map((name) => `test/${name}`),
    ...(named ? ['-t', named] : []),
  ];
  const child = spawn(process.execPath, [join(ROOT, 'node_modules/vitest/vitest.mjs'), ...words], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1', ...own, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const hear = (data: Buffer) => {
    said = (said + data).slice(-4 * SHOWN);
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve({ ok: code === 0, said }));
  });
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

function table(rounds: readonly Round[], scenes: readonly SceneName[]): void {
  for (const scene of scenes) {
    const own = rounds.filter((round) => round.scene === scene);
    if (own.length === 0) continue;
    const held = own.filter(({ ok }) => ok).length;
    const { breaks, checks } = SCENES[scene];
    console.log(
      `\n${scene}: ${held} of ${own.length} rounds held, ${seconds(own.reduce((sum, { tookMs }) => sum + tookMs, 0))}`,
    );
    console.log(`  breaks  ${breaks}\n  checks  ${checks}`);
  }
  const unplayed = scenes.filter((name) => !rounds.some(({ scene }) => scene === name));
  if (unplayed.length > 0) console.log(`\nNot played: ${unplayed.join(', ')}.`);
}

process.exitCode = await main();
