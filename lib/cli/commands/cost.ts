/** What a month costs: what was counted, for a load, at the list prices of a region. Nothing is looked up over the network. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CrossfadeError } from '../../core/base/errors.ts';
import { didYouMean } from '../../core/base/nearest.ts';
import { billOf, type PriceList, SCENES } from '../../core/cost/bill.ts';
import type { Counted, Load } from '../../core/cost/usage.ts';
import type { Context, Outcome } from '../context.ts';
import { packageRoot } from '../package-root.ts';
import { type Column, renderCost } from '../render-cost.ts';

/** Where the prices of AWS are lowest, and what its examples are in. */
const USUAL_REGION = 'us-east-1';
/** Of a load of which only a part is given. */
const UNLESS_GIVEN: Load = { cutovers: 1, writesPerSecond: 5, processes: 2, readersPerSecond: 0 };

export async function cost({ options, io }: Context): Promise<Outcome> {
  const { prices, counted } = costFiles();
  const region = options.region ?? io.env.AWS_REGION ?? USUAL_REGION;
  refuseUnknown(region, Object.keys(prices.regions));
  const given = { cutovers: options.cutovers, writesPerSecond: options.writesPerSecond, processes: options.processes };
  const load = { ...UNLESS_GIVEN, ...withoutMissing({ ...given, readersPerSecond: options.readers }) };
  const isGiven = Object.keys(withoutMissing({ ...given, readersPerSecond: options.readers })).length > 0;
  const scenes = isGiven ? { 'this load': { load, wanted: null } } : SCENES;
  const columns = Object.entries(scenes).map(([name, scene]): Column => {
    const { load: of, wanted } = scene as { load: Load; wanted: number | null };
    return { name, load: of, wanted, bill: billOf(of, counted, prices, region) };
  });
  return { document: { region, pricesReadOn: prices.readOn, columns }, text: renderCost(columns, region, prices) };
}

/** What was counted, and what it costs. */
export const costFiles = () => ({
  prices: fromFile<PriceList>('prices.json'),
  counted: fromFile<Counted>('requests.json'),
});

const fromFile = <T>(name: string): T => JSON.parse(readFileSync(join(packageRoot(), 'infra', name), 'utf8')) as T;

function withoutMissing(load: { [K in keyof Load]: number | undefined }): Partial<Load> {
  return Object.fromEntries(Object.entries(load).filter(([, value]) => value !== undefined));
}

function refuseUnknown(region: string, known: readonly string[]): void {
  if (known.includes(region)) return;
  throw new CrossfadeError(
    'invalid_input',
    `The price list has no '${region}': it has ${known.join(', ')}.${didYouMean(region, known)} Give the one with --region whose prices are nearest to yours.`,
  );
}
