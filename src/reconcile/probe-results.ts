/** What requests of the operator came to that the mesh must deny. */
export interface ProbeResults {
  /** Those that were answered, in words. */
  readonly notDenied: readonly string[];
  /** Those that were neither answered nor denied, in words: they prove nothing. */
  readonly unanswered: readonly string[];
  /** How many were denied. */
  readonly denied: number;
}

/** Whether each request was denied explicitly. */
export function isDenied(probes: ProbeResults | undefined): boolean {
  return probes !== undefined && probes.denied > 0 && probes.notDenied.length === 0 && probes.unanswered.length === 0;
}
