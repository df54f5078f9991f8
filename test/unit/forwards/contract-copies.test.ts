/** The copies in memory keep the contract that DynamoDB keeps. */

import { CONTRACT_NOW, copyContract } from '../../helpers/contracts/copies.ts';
import { inMemoryCopies } from '../../helpers/fakes/copies.ts';

copyContract('in memory', async () => inMemoryCopies({ realNow: () => CONTRACT_NOW }));
