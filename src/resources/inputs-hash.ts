import { createHmac } from "node:crypto";
import type { MlflowServerSpec } from "../api/spec.ts";
import { authSecret } from "./auth-secret.ts";
import { type Content, type ContentSummary, digestOf } from "./content.ts";
import type { Inputs } from "./inputs.ts";
import { referencesOf } from "./references.ts";
import { isProxied } from "./serving-port.ts";
import { storeSecret } from "./store-secret.ts";

/**
 * Keyed hash of all that pods read when they start: the Secrets and ConfigMaps that the spec names and those that are
 * made of them; not the generated administrator, whom MLflow knows only from its database once it is there, nor what is
 * read again while they run. Keyed by a secret of the server, since a plain hash in an annotation would let everyone who
 * may read pods try out passwords.
 */
export function inputsHash(inputs: Inputs): string {
  const { references, server } = inputs;
  const { cookieSecret, ...session } = inputs.session;
  const reread = rereadSecrets(server.spec);
  const content = {
    secrets: digests(new Map([...references.secrets].filter(([name]) => !reread.has(name)))),
    configMaps: digests(references.configMaps),
    made: [storeSecret(inputs)?.data, authSecret(inputs)?.data],
    session,
    ...(isProxied(server.spec) && { cookieSecret }),
  };
  return keyedHash(inputs, JSON.stringify(content));
}

/** HMAC-SHA-256 by the server's session key, 32 hexadecimal digits of it. */
export function keyedHash({ session }: Inputs, text: string): string {
  return createHmac("sha256", session.flaskSecretKey).update(text).digest("hex").slice(0, 32);
}

/** Secrets of which nothing is read only once. */
function rereadSecrets(spec: MlflowServerSpec): ReadonlySet<string> {
  const secrets = referencesOf(spec).filter(({ kind }) => kind === "Secret");
  const once = new Set(secrets.filter(({ isReread }) => isReread !== true).map(({ name }) => name));
  return new Set(secrets.map(({ name }) => name).filter((name) => !once.has(name)));
}

function digests(objects: ReadonlyMap<string, Content & ContentSummary>): unknown {
  return [...objects].map(([name, content]) => [name, digestOf(content)]).sort();
}
