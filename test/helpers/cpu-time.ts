/** What a call costs the processor: how busy the machine is with something else does not show in it. */

const TRIES = 5;

/** Milliseconds of processor time of the cheapest of five calls. */
export function cpuMs(call: () => void): number {
  const took = Array.from({ length: TRIES }, () => {
    const before = process.cpuUsage();
    call();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...took);
}
