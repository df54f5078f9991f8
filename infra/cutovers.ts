/**
 * What the functions of this checkout migrate: the quickstart's cutover. What is yours stands in a `crossfade.config.ts` of your
 * own repository, and goes beside the functions with `crossfade package`.
 */

import { defineCutovers } from '../lib/define/cutovers.ts';
import { customerCutover } from './examples/chinook/cutover.ts';

export default defineCutovers([customerCutover]);
