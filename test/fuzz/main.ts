/**
 * `npm run fuzz`: breaks what the readers are given, guided by what it reaches.
 *
 *   npm run fuzz                                       every reader
 *   npm run fuzz -- flags --inputs 1000000 --seed 7    one, for longer; the same seed tries the same inputs
 *   npm run fuzz -- flags --input '{"system":1}'       one input once more
 *   npm run fuzz -- flags --plant                      the flags with a fault that is behind two conditions
 *   npm run fuzz -- flags --plant --unguided           the same, without guidance: nothing is kept
 *
 * Ends with 1 when a reader does not hold.
 */

import { parseArgs } from 'node:util';
import { fuzz, guidedReaders } from './guided.ts';
import { PLANT } from './plant.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    inputs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    input: { type: 'string' },
    plant: { type: 'boolean', default: false },
    unguided: { type: 'boolean', default: false },
  },
});

const { readers, branches } = await guidedReaders(values.plant ? [PLANT] : []);
const budget = { seed: Number(values.seed), inputs: Number(values.inputs) };
const unknown = positionals.filter((name) => !(name in readers));
if (unknown.length > 0)
  throw new Error(`No reader is called ${unknown.join(', ')}. There are ${Object.keys(readers).join(', ')}.`);
for (const [name, reader] of Object.entries(readers)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  if (values.input !== undefined) {
    console.log(`${name}: ${reader.holds(values.input) ? 'accepted' : 'refused'}`);
    continue;
  }
  const { inputs, kept, finding } = fuzz(reader, budget, values.unguided ? null : branches);
  console.log(
    `${name}: ${inputs} inputs of seed ${values.seed}, ${kept} kept${finding === null ? '' : ', and the last one does not hold'}`,
  );
  if (finding === null) continue;
  process.exitCode = 1;
  console.log(finding.error);
  console.log(`Again: npm run fuzz -- ${name} --input '${finding.input.replaceAll("'", String.raw`'\''`)}'`);
}
