import { createHmac } from "node:crypto";
import type { MlflowServerSpec } from "../api/spec.ts";
import { type Content, type ContentSummary, digestOf } from "../model/content.ts";
import type { Inputs } from "../model/inputs.ts";
import { isProxied } from "../model/serving-port.ts";
import { authSecret } from "./auth-secret.ts";
import { referencesOf } from "./references.ts";
import { storeSecret } from "./store-secret.ts";

/**
 * Returns a keyed hash of everything that pods read when they start: the referenced Secrets and ConfigMaps and those derived
 * from them. Not the generated administrator, which MLflow reads from its database after the first start, and not files that are
 * read again at run time. Keyed by a secret of the server: a plain hash in an annotation would allow users who can
 * read pods to guess passwords.
 */
export function inputsHash(inputs: Inputs): string {
  const { secrets, configMaps, ...keys } = contentOf(inputs);
  const derived = [storeSecret(inputs)?.data, authSecret(inputs)?.data];
  return keyedHash(inputs, JSON.stringify({ secrets, configMaps, derived, ...keys }));
}

/** The referenced content and the generated keys of {@link inputsHash}, without what the operator derives from them. */
export function contentOf({ references, server, session: { cookieSecret, ...session } }: Inputs) {
  const reread = rereadSecrets(server.spec);
  return {
    secrets: digests(new Map([...references.secrets].filter(([name]) => !reread.has(name)))),
    configMaps: digests(references.configMaps),
    session,
    ...(isProxied(server.spec) && { cookieSecret }),
  };
}

/** Returns 32 hexadecimal digits of an HMAC-SHA-256 with the server's session key. */
export function keyedHash({ session }: Inputs, text: string): string {
  return createHmac("sha256", session.flaskSecretKey).update(text).digest("hex").slice(0, 32);
}

/** Returns the names of Secrets of which every key is read again at run time. */
function rereadSecrets(spec: MlflowServerSpec): ReadonlySet<string> {
  const secrets = referencesOf(spec).filter(({ kind }) => kind === "Secret");
  const once = new Set(secrets.filter(({ isReread }) => isReread !== true).map(({ name }) => name));
  return new Set(secrets.map(({ name }) => name).filter((name) => !once.has(name)));
}

function digests(objects: ReadonlyMap<string, Content & ContentSummary>): unknown {
  return [...objects].map(([name, content]) => [name, digestOf(content)]).sort();
}
