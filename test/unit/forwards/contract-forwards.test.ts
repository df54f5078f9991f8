/** The forwarded writes in memory keep the contract that DynamoDB keeps. */

import { CONTRACT_NOW, forwardContract } from '../../helpers/contracts/forwards.ts';
import { inMemoryForwards } from '../../helpers/fakes/forwards.ts';

forwardContract('in memory', async () => inMemoryForwards({ realNow: () => CONTRACT_NOW }));
