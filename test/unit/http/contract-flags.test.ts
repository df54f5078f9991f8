import { flagContract } from '../../helpers/contracts/flags.ts';
import { inMemoryFlags } from '../../helpers/fakes/flags.ts';

flagContract('in memory', async () => {
  const flags = inMemoryFlags();
  return {
    publisher: flags,
    served: async () => flags.served(),
    block: async () => flags.block(),
    store: async (document) => {
      flags.store(document);
    },
    loseNextAnswer: flags.loseNextAnswer,
    unavailable: flags.unavailable,
    rollBack: async () => flags.rollBack(),
  };
});
