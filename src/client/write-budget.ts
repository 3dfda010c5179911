import { createHash } from "node:crypto";
import type { Manifest } from "../kube/manifests.ts";
import type { RepeatedConflict } from "../reconcile/cluster.ts";

/**
 * Limits repeated writes when another client changes or deletes the same object repeatedly. The first
 * repeats are immediate, so that a manual change is repaired immediately; later ones have an exponential backoff.
 */
export interface WriteBudget {
  /** The conflict with another client, if this write must be delayed; otherwise undefined. */
  repeatedConflict(manifest: Manifest, path: string): RepeatedConflict | undefined;
  /** Whether there were enough repeats to read the conflicting field managers from the API server. */
  isContested(manifest: Manifest, path: string): boolean;
  /** Records a successful write, and the conflicting field managers if they are known. */
  note(manifest: Manifest, path: string, managers?: readonly string[]): void;
}

/** Number of immediate repeats. */
const burst = 5;
const firstPauseSeconds = 10;
const longestPauseSeconds = 300;
/** After this time without a repeat the count starts again. */
const forgetSeconds = 900;
/** Minimum interval of removing expired entries. */
const sweepSeconds = 60;

interface Entry {
  readonly hash: string;
  readonly repeats: number;
  readonly at: number;
  readonly managers: readonly string[];
}

export function writeBudget(now: () => number = () => performance.now() / 1000): WriteBudget {
  const entries = new Map<string, Entry>();
  let sweptAt = now();

  function sweep(): void {
    if (now() - sweptAt < sweepSeconds) return;
    sweptAt = now();
    for (const [key, { at }] of entries) if (now() - at > forgetSeconds) entries.delete(key);
  }

  const entryOf = (manifest: Manifest, path: string): Entry | undefined => {
    const entry = entries.get(keyOf(manifest, path));
    if (entry === undefined || now() - entry.at > forgetSeconds || entry.hash !== hashOf(manifest)) return undefined;
    return entry;
  };

  return {
    repeatedConflict: (manifest, path) => {
      const entry = entryOf(manifest, path);
      if (entry === undefined || entry.repeats < burst) return undefined;
      const seconds = entry.at + pauseOf(entry.repeats) - now();
      return seconds <= 0 ? undefined : { path, managers: entry.managers, seconds };
    },
    isContested: (manifest, path) => (entryOf(manifest, path)?.repeats ?? 0) >= burst - 1,
    note: (manifest, path, managers) => {
      sweep();
      const before = entryOf(manifest, path);
      entries.set(keyOf(manifest, path), {
        hash: before?.hash ?? hashOf(manifest),
        repeats: before === undefined ? 0 : before.repeats + 1,
        at: now(),
        managers: managers ?? before?.managers ?? [],
      });
    },
  };
}

function pauseOf(repeats: number): number {
  return Math.min(firstPauseSeconds * 2 ** (repeats - burst), longestPauseSeconds);
}

function keyOf({ kind, metadata }: Manifest, path: string): string {
  return `${kind} ${metadata.namespace ?? ""}/${metadata.name} ${path}`;
}

function hashOf(manifest: Manifest): string {
  return createHash("sha256").update(JSON.stringify(manifest)).digest("base64").slice(0, 16);
}
