/** The results of the operator's own requests, which the mesh must deny. */
export interface ProbeResults {
  /** Messages about requests that were answered. */
  readonly notDenied: readonly string[];
  /** Messages about requests that were neither answered nor denied. They prove nothing. */
  readonly unanswered: readonly string[];
  /** The number of denied requests. */
  readonly denied: number;
}

/** Whether each request was denied explicitly. */
export function isDenied(probes: ProbeResults | undefined): boolean {
  return probes !== undefined && probes.denied > 0 && probes.notDenied.length === 0 && probes.unanswered.length === 0;
}
