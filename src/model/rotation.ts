/** The keys of sessions and encryption that the operator can rotate, by the names in the annotation `rotate`. */
export const rotatedKeys = ["session", "cookie", "encryption-key", "webhook-key"] as const;

export type RotatedKey = (typeof rotatedKeys)[number];

/** Everything that the operator can rotate. */
export const rotationNames = [...rotatedKeys, "admin-password"] as const;

export type RotationName = (typeof rotationNames)[number];

/**
 * - `Preparing`: pods are replaced by pods that also accept the new key;
 * - `Switching`: pods are replaced by pods that use the new key and accept the previous one; then what has the previous key is renewed;
 * - `Removing`: pods are replaced by pods that no longer accept the previous key.
 */
const phases = ["Preparing", "Switching", "Removing", "Completed"] as const;

/** The progress of the last rotation of one credential, which is stored with it: one write changes both. */
export interface Rotation {
  /** The token of the request. */
  readonly request: string;
  readonly phase: (typeof phases)[number];
  readonly startedAt: string;
  /** When the new key became the current one. */
  readonly switchedAt?: string;
  readonly completedAt?: string;
}

export type Rotations = Readonly<Partial<Record<RotationName, Rotation>>>;

/** Returns the rotations that an annotation records. Other text records none. */
export function rotationsIn(text: string | undefined): Rotations {
  const found: Partial<Record<RotationName, Rotation>> = {};
  try {
    const parsed: unknown = JSON.parse(text ?? "{}");
    for (const name of rotationNames) {
      const rotation = rotationOf(property(parsed, name));
      if (rotation !== undefined) found[name] = rotation;
    }
  } catch {
    return {};
  }
  return found;
}

function rotationOf(value: unknown): Rotation | undefined {
  const text = (key: string) => {
    const found = property(value, key);
    return typeof found === "string" && found.length <= 64 ? found : undefined;
  };
  const [request, phase, startedAt] = [
    text("request"),
    phases.find((each) => each === text("phase")),
    text("startedAt"),
  ];
  if (request === undefined || phase === undefined || startedAt === undefined) return undefined;
  const [switchedAt, completedAt] = [text("switchedAt"), text("completedAt")];
  return { request, phase, startedAt, ...(switchedAt && { switchedAt }), ...(completedAt && { completedAt }) };
}

function property(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([name]) => name === key)?.[1];
}

/** Returns the annotation that records rotations; none without. */
export function rotationsText(rotations: Rotations | undefined): string | undefined {
  return rotations === undefined || Object.keys(rotations).length === 0 ? undefined : JSON.stringify(rotations);
}
