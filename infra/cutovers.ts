/**
 * What this deployment migrates. Reviewed and deployed with the code, because transforms are SQL.
 * Ships with the quickstart's cutover; replace it with your own.
 */

import { defineCutovers } from '../lib/define/cutovers.ts';
import { customerCutover } from './examples/chinook/cutover.ts';

export default defineCutovers([customerCutover]);
