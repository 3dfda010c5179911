import type { AcceptedKeys, SessionKeys } from "../../model/inputs.ts";
import { type RotatedKey, type Rotation, rotatedKeys } from "../../model/rotation.ts";
import { cookieSecret, fernetKey, randomKey } from "../generated-keys.ts";

/** How long the previous session key is accepted: sessions that are used in this time get the new one. */
export const overlapSeconds = 86_400;

/** What the next step of the rotations of keys depends on. */
export interface KeysState {
  readonly keys: SessionKeys;
  /** The requested tokens. */
  readonly tokens: ReadonlyMap<string, string>;
  /** Whether two revisions of pods never run at the same time. */
  readonly isExclusive: boolean;
  /** Whether everything in the database has the current key. */
  readonly isEncrypted: (name: "encryption-key" | "webhook-key") => boolean;
  readonly now: Date;
}

const currentFields = {
  session: "flaskSecretKey",
  "encryption-key": "kekPassphrase",
  "webhook-key": "webhookKey",
} as const;

/**
 * The keys after one step of each rotation, for a server all of whose pods run with these keys. Pods of two consecutive steps accept each other's keys,
 * so a step is taken only after the pods of the previous one are gone. Equal to the given ones if there is none.
 */
export function nextKeys(state: KeysState): SessionKeys {
  return rotatedKeys.reduce((keys, name) => stepOf(name, { ...state, keys }), state.keys);
}

function stepOf(name: RotatedKey, state: KeysState): SessionKeys {
  const { keys, tokens, now } = state;
  const rotation = keys.rotations?.[name];
  const token = tokens.get(name);
  // The previous session key is accepted for a long time, in which the key can be rotated again.
  const mayBegin =
    rotation === undefined || rotation.phase === "Completed" || (name === "session" && rotation.phase === "Switching");
  if (token !== undefined && token !== rotation?.request && mayBegin) return begun(name, token, state);
  switch (rotation?.phase) {
    case "Preparing":
      // Someone has removed the new key.
      if (!hasAccepted(name, keys)) return begun(name, rotation.request, state);
      return recorded(switched(name, keys), name, { ...rotation, phase: "Switching", switchedAt: now.toISOString() });
    case "Switching":
      if (!isRenewed(name, rotation, state)) return keys;
      return recorded(withoutAccepted(name, keys), name, { ...rotation, phase: "Removing" });
    case "Removing":
      return recorded(keys, name, { ...rotation, phase: "Completed", completedAt: now.toISOString() });
    default:
      return keys;
  }
}

function begun(name: RotatedKey, request: string, { keys, isExclusive, now }: KeysState): SessionKeys {
  const startedAt = now.toISOString();
  const started: Rotation = { request, phase: "Preparing", startedAt };
  // oauth2-proxy accepts one cookie secret only.
  if (name === "cookie")
    return recorded({ ...keys, cookieSecret: cookieSecret() }, name, {
      ...started,
      phase: "Removing",
      switchedAt: startedAt,
    });
  const prepared = withAccepted(keys, acceptedAtStart(name, keys));
  if (!isExclusive) return recorded(prepared, name, started);
  return recorded(switched(name, prepared), name, { ...started, phase: "Switching", switchedAt: startedAt });
}

function acceptedAtStart(name: Exclude<RotatedKey, "cookie">, { kekVersion = "1" }: SessionKeys): AcceptedKeys {
  if (name === "session") return { flaskSecretKey: randomKey() };
  if (name === "webhook-key") return { webhookKey: fernetKey() };
  return { kekPassphrase: randomKey(), kekVersion: String(Number(kekVersion) + 1) };
}

/** The keys with the accepted one as the current one, and the reverse. */
function switched(name: RotatedKey, keys: SessionKeys): SessionKeys {
  if (name === "cookie") return keys;
  const field = currentFields[name];
  const { accepted = {}, kekVersion = "1" } = keys;
  const current = accepted[field];
  if (current === undefined) return keys;
  const version = name === "encryption-key" ? { kekVersion: accepted.kekVersion ?? "1" } : {};
  const previous = { [field]: keys[field], ...(name === "encryption-key" && { kekVersion }) };
  return withAccepted({ ...keys, [field]: current, ...version }, previous);
}

function hasAccepted(name: RotatedKey, { accepted }: SessionKeys): boolean {
  return name === "cookie" || accepted?.[currentFields[name]] !== undefined;
}

/** Whether nothing needs the previous key. Without it, nothing more can be renewed. */
function isRenewed(name: RotatedKey, { switchedAt = "" }: Rotation, state: KeysState): boolean {
  if (name === "cookie" || !hasAccepted(name, state.keys)) return true;
  if (name === "session") return overlapLeft(switchedAt, state.now) <= 0;
  return state.isEncrypted(name);
}

/** Seconds for which the previous session key is still accepted. A time in the future means different clocks. */
export function overlapLeft(switchedAt: string, now: Date): number {
  const left = overlapSeconds - (now.getTime() - Date.parse(switchedAt)) / 1000;
  return Number.isNaN(left) ? 0 : Math.min(left, overlapSeconds);
}

function withAccepted(keys: SessionKeys, accepted: AcceptedKeys): SessionKeys {
  return { ...keys, accepted: { ...keys.accepted, ...accepted } };
}

function withoutAccepted(name: RotatedKey, keys: SessionKeys): SessionKeys {
  const { accepted = {}, ...rest } = keys;
  const isOfKey = (field: string) =>
    name !== "cookie" && (field === currentFields[name] || (name === "encryption-key" && field === "kekVersion"));
  const kept: AcceptedKeys = Object.fromEntries(Object.entries(accepted).filter(([field]) => !isOfKey(field)));
  return Object.keys(kept).length === 0 ? rest : { ...rest, accepted: kept };
}

function recorded(keys: SessionKeys, name: RotatedKey, rotation: Rotation): SessionKeys {
  return { ...keys, rotations: { ...keys.rotations, [name]: rotation } };
}
