/** Breadth-first search of all that can happen: whatever breaks a promise is found by the fewest steps that lead to it. */

export type Step<World> = { does: string; to: World };

export type Model<World> = {
  first: World;
  /** Every step that can be next. */
  steps(world: World): Iterable<Step<World>>;
  /** Two worlds with the same key have the same future. */
  keyOf(world: World): string;
  /** What is broken in this world, or null. */
  broken(world: World): string | null;
};

export type Explored<World> = {
  worlds: readonly World[];
  steps: number;
  /** Steps to the furthest world. */
  depth: number;
  ms: number;
  violation: { what: string; trace: readonly string[] } | null;
  /** The steps that lead to a world, by its number. */
  traceTo(world: number): readonly string[];
  /** Worlds from which no step, nor any number of them, leads to one of which this holds. */
  cannotReach(goal: (world: World) => boolean): readonly number[];
};

/** @param most worlds; more of them are an error, since then nothing would be exhaustive */
export function explore<World>(model: Model<World>, most = 2_000_000): Explored<World> {
  const startedMs = performance.now();
  const worlds: World[] = [model.first];
  const numbers = new Map([[model.keyOf(model.first), 0]]);
  const parents: number[] = [-1];
  const labels: string[] = [''];
  const depths: number[] = [0];
  const before: number[][] = [[]];
  let steps = 0;
  const traceTo = (world: number): string[] => {
    const trace: string[] = [];
    for (let at = world; parents[at]! >= 0; at = parents[at]!) trace.unshift(labels[at]!);
    return trace;
  };
  const result = (violation: Explored<World>['violation']): Explored<World> => ({
    worlds,
    steps,
    depth: depths.at(-1)!,
    ms: performance.now() - startedMs,
    violation,
    traceTo,
    cannotReach: (goal) => cannotReach(worlds, before, goal),
  });
  for (let at = 0; at < worlds.length; at += 1) {
    const what = model.broken(worlds[at]!);
    if (what !== null) return result({ what, trace: traceTo(at) });
    for (const { does, to } of model.steps(worlds[at]!)) {
      steps += 1;
      const key = model.keyOf(to);
      let number = numbers.get(key);
      if (number === undefined) {
        number = worlds.length;
        if (number >= most) throw new Error(`There are more than ${most} worlds: the bounds are too wide.`);
        numbers.set(key, number);
        worlds.push(to);
        parents.push(at);
        labels.push(does);
        depths.push(depths[at]! + 1);
        before.push([]);
      }
      before[number]!.push(at);
    }
  }
  return result(null);
}

function cannotReach<World>(
  worlds: readonly World[],
  before: readonly (readonly number[])[],
  goal: (world: World) => boolean,
): number[] {
  const reaches = new Uint8Array(worlds.length);
  const queue: number[] = [];
  const add = (number: number) => {
    if (reaches[number] === 1) return;
    reaches[number] = 1;
    queue.push(number);
  };
  for (const [number, world] of worlds.entries()) if (goal(world)) add(number);
  for (let at = 0; at < queue.length; at += 1) for (const number of before[queue[at]!]!) add(number);
  return [...worlds.keys()].filter((number) => reaches[number] === 0);
}
