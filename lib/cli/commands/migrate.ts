/** Installs or updates the schema `crossfade`. Needs the owner's role; what is there already is left alone. */
export async function migrate(): Promise<never> {
  throw new Error('soon');
}
