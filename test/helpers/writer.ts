/** Clients of a test that write while something else happens. */

export type Writer = {
  done: number;
  failures: string[];
  /** Resolves when it has made so many more transactions, failed ones included, or was stopped. */
  after(more: number): Promise<void>;
  /** Resolves when it is between two transactions, where it stays until it is resumed. */
  pause(): Promise<void>;
  resume(): void;
  stop(): Promise<void>;
};

type Gate = { opened: Promise<void>; open: () => void; reached: () => void };

/** One client that writes at full speed until it is stopped. */
export function writer(transact: (i: number) => Promise<unknown>): Writer {
  const state = { done: 0, failures: [] as string[], stopping: false };
  let waiting: { made: number; go: () => void }[] = [];
  let made = 0;
  let gate: Gate | null = null;
  const passed = () => {
    gate?.reached();
    return gate?.opened;
  };
  const tell = () => {
    for (const one of waiting) if (one.made <= made || state.stopping) one.go();
    waiting = waiting.filter((one) => one.made > made && !state.stopping);
  };
  const running = (async () => {
    for (let i = 0; !state.stopping; i += 1) {
      try {
        await transact(i);
        state.done += 1;
      } catch (error) {
        state.failures.push(error instanceof Error ? error.message : String(error));
        // A client whose connection is gone fails at once, for ever: nothing else would have a turn, not even the end of the test.
        await new Promise((resolve) => setImmediate(resolve));
      }
      made += 1;
      tell();
      await passed();
    }
    passed();
  })();
  const resume = () => {
    gate?.open();
    gate = null;
  };
  return Object.assign(state, {
    after: (more: number) =>
      new Promise<void>((go) => {
        waiting.push({ made: made + more, go });
        tell();
      }),
    pause: () =>
      new Promise<void>((reached) => {
        let open = () => {};
        const opened = new Promise<void>((go) => {
          open = go;
        });
        gate = { opened, open, reached };
        if (state.stopping) reached();
      }),
    resume,
    stop: async () => {
      state.stopping = true;
      resume();
      await running;
      tell();
    },
  });
}
