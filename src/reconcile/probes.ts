/** What requests of the operator came to that the mesh must deny. */
export interface Probes {
  /** Those that were answered, in words. */
  readonly breaches: readonly string[];
  /** Those that were neither answered nor denied, in words: they prove nothing. */
  readonly unanswered: readonly string[];
  /** How many were denied. */
  readonly denied: number;
}

/** Whether each request was denied explicitly. */
export function isDenied(probes: Probes | undefined): boolean {
  return probes !== undefined && probes.denied > 0 && probes.breaches.length === 0 && probes.unanswered.length === 0;
}
