/**
 * A listener of the host must not break what it listens to: neither by what it throws nor by a promise that it rejects, which
 * would end the process.
 */

const ignore = () => {};

export function guarded<Of>(listener: (one: Of) => unknown): (one: Of) => void {
  return (one) => {
    try {
      void Promise.resolve(listener(one)).catch(ignore);
    } catch {
      // Its own affair.
    }
  };
}
