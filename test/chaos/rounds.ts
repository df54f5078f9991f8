/** Rounds of chaos: a scene, played by Vitest in a process of its own with a seed, and with a fault in what it loads if one is planted. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Planted } from '../mutants/plant.ts';
import { seeded } from '../property/samples.ts';
import { SCENES, type Scene, type SceneName } from './scenes.ts';

/** Of what a round has printed; its end says what failed. */
const KEPT = 16_000;
/** From one round's seed to the next: tests that play several seeds count on from theirs. */
const SEED_STEP = 100;

export type Round = { scene: SceneName; seed: number; held: boolean; tookMs: number; said: string };

/** Without end. The seed says in which order the scenes come; none comes again before all of them have. */
export async function* rounds(
  scenes: readonly SceneName[],
  firstSeed: number,
  planted: Planted | null,
): AsyncGenerator<Round> {
  const fault = planted && { CROSSFADE_MUTANT: JSON.stringify(planted) };
  for (let seed = firstSeed; ; seed += SEED_STEP) {
    for (const scene of shuffled(scenes, seed)) {
      const startedMs = performance.now();
      const played = await play(SCENES[scene], { CROSSFADE_SEED: String(seed), ...fault });
      yield { scene, seed, tookMs: performance.now() - startedMs, ...played };
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
): Promise<Pick<Round, 'held' | 'said'>> {
  const root = process.cwd();
  const words = ['run', '--project', project, '--bail=1', ...tests.map((name) => `test/${name}`)];
  const child = spawn(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), ...words, ...(named ? ['-t', named] : [])],
    { cwd: root, env: { ...process.env, NO_COLOR: '1', ...own, ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  const hear = (data: Buffer) => {
    said = (said + data).slice(-KEPT);
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ held: code === 0, said }));
  });
}
