/**
 * Stories of one client that tries again until it is answered, or gives up and replaces what it does not know of: any
 * order of calls, deaths, lost answers, wake-ups and pauses. What is wrong at the end of one is said in sentences.
 */

import fc from 'fast-check';
import type { Side } from '../../lib/core/cutover/cutover.ts';
import { MAX_ATTEMPTS } from '../../lib/core/forwards/forward.ts';
import { type Mode, type Process, retryWorld, type WorldOptions, type Write } from './retry-world.ts';

export type Step =
  | { do: 'send' | 'stream' }
  | { do: 'next'; method: Write['method'] }
  | { do: 'step'; process: number; gate: number }
  | { do: 'run'; process: number }
  | { do: 'kill'; process: number; after: boolean }
  | { do: 'wait'; ms: number }
  | { do: 'mode'; side: Side; mode: Mode }
  | { do: 'complete' };

/** A refusal is one of the authoritative side only: what the other one refuses is for a person. */
const MODES: readonly Mode[] = [
  'ok',
  'ok',
  'refuses',
  'lost',
  'slow',
  'applied-and-lost',
  'applied-and-500',
  500,
  503,
  429,
  422,
];
const process = fc.nat({ max: 4 });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('send' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('stream' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('next' as const),
      method: fc.constantFrom('PUT' as const, 'DELETE', 'PATCH', 'POST'),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('step' as const), process, gate: fc.nat({ max: 2 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('run' as const), process }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('kill' as const), process, after: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(5, 900, 8_000, 36_000) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('mode' as const),
      side: fc.constantFrom<Side>('primary', 'shadow'),
      mode: fc.constantFrom(...MODES),
    }),
  },
);

export const stories = fc.array(step, { minLength: 4, maxLength: 60 });

const PATH = 'tasks/7';

/** Lives a story; what is wrong at its end, or nothing. */
export async function live(steps: readonly Step[], options: WorldOptions = {}): Promise<string[]> {
  const world = retryWorld(options);
  const { services, clock } = world;
  const sent: { write: Write; process: Process }[] = [];
  /** One attempt was answered, and all that failed were over before it began. */
  function isAnswered({ key }: Write): boolean {
    const attempts = sent.flatMap(({ write: { key: own }, process: one }) => (own === key ? [one] : []));
    const failed = attempts.filter(({ answered }) => answered !== 'yes');
    return attempts.some(
      (one) => !failed.includes(one) && failed.every(({ endedAtMs }) => endedAtMs < one.startedAtMs),
    );
  }
  const hasBegun = ({ key }: Write) => sent.some((one) => one.write.key === key);
  let write: Write = { key: 'k1', method: 'POST', path: PATH };
  let isCompleted = false;
  const running = (n: number) => world.live().at(n % Math.max(1, world.live().length));

  /** A client replaces what it knows nothing of, and writes anew only after an answer. */
  async function next(method: Write['method']): Promise<void> {
    if (!hasBegun(write) || (options.through === 'sdk' && !isAnswered(write))) return;
    for (const one of world.live()) await world.run(one);
    world.catchUp();
    const safe = isAnswered(write) || method === 'DELETE' ? method : 'PUT';
    write = { key: `k${Number(write.key.slice(1)) + 1}`, method: safe, path: PATH };
  }

  /** From then on the old side answers: one that does not may never come back, and a person is asked. */
  function complete(): void {
    isCompleted = true;
    services.primary.mode = 'ok';
    world.catchUp();
    world.enter('completed');
  }

  const authority: Side = options.stage === 'completed' ? 'shadow' : 'primary';
  const isPossible = ({ side, mode }: { side: Side; mode: Mode }) => (side === authority ? !isCompleted : mode !== 422);

  for (const one of steps) {
    clock.ms += 1;
    const process = 'process' in one ? running(one.process) : undefined;
    if (one.do === 'send') sent.push({ write, process: world.send(write) });
    else if (one.do === 'stream') world.stream();
    else if (one.do === 'next') await next(one.method);
    else if (one.do === 'step' && process) await world.step(process, one.gate);
    else if (one.do === 'run' && process) await world.run(process);
    else if (one.do === 'kill' && process) world.kill(process, one.after);
    else if (one.do === 'wait') world.pass(one.ms);
    else if (one.do === 'complete') complete();
    else if (one.do === 'mode' && isPossible(one)) services[one.side].mode = one.mode;
  }
  await world.settle();
  return complaints(world, sent);
}

function complaints(
  { services, store, events }: ReturnType<typeof retryWorld>,
  sent: readonly { write: Write; process: Process }[],
): string[] {
  const acknowledged = new Set(sent.flatMap(({ write, process }) => (process.answered === 'yes' ? [write.key] : [])));
  const { primary, shadow } = services;
  const values = (side: Side) => JSON.stringify([...services[side].values]);
  // After so many attempts a person is asked, whatever they met: no story of retries.
  const tired = store
    .all()
    .some(({ attempts, problem }) => attempts >= MAX_ATTEMPTS && problem !== null && problem.code !== 'refused');
  if (tired) return [];
  return [
    ...store.all().map(({ id, status, problem }) => `${id} is left, ${status}: ${problem?.text}`),
    ...[...acknowledged].flatMap((key) =>
      primary.known.has(key) && shadow.known.has(key) ? [] : [`${key} was acknowledged and is lost`],
    ),
    ...Object.entries(services).flatMap(([side, { applied }]) =>
      new Set(applied).size < applied.length ? [`the ${side} has one twice: ${applied.join()}`] : [],
    ),
    ...(values('primary') === values('shadow') ? [] : [`${values('primary')} and ${values('shadow')}`]),
    ...(events.includes('forward_quarantined') ? ['a person was asked'] : []),
  ];
}
