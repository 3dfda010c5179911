import type { V1EnvVar } from "@kubernetes/client-node";
import type { RedisSettings } from "../../api/fields/proxy-session.ts";
import { fromSecret, literal } from "../../kube/variable.ts";
import { caFileVolume, type Mounted } from "../common/mounted-volume.ts";
import { caReferences, type Reference, secretReference } from "../common/reference.ts";

/** Where oauth2-proxy stores sessions, if not in cookies. */
export interface SessionStore {
  readonly references: readonly Reference[];
  /** Arguments and variables of oauth2-proxy. */
  readonly arguments: readonly string[];
  readonly env: readonly V1EnvVar[];
  /** The CA bundle, in addition to public CAs. */
  readonly mounted: readonly Mounted[];
  /** The variables of the program that waits until the store accepts the proxy's user. */
  readonly checkEnv: readonly V1EnvVar[];
}

const path = "spec.authentication.oauth2Proxy.session.redis";
const caPath = "/etc/oauth2-proxy/ca/redis/ca.crt";

/** Returns sessions in Redis. */
export function redisStore({ url, username, passwordSecretRef: password, ca }: RedisSettings): SessionStore {
  return {
    references: [
      ...(password === undefined ? [] : [secretReference(password.name, [password.key], `${path}.passwordSecretRef`)]),
      ...caReferences(ca, `${path}.ca`),
    ],
    arguments: [
      "--session-store-type=redis",
      `--redis-connection-url=${url}`,
      ...(username === undefined ? [] : [`--redis-username=${username}`]),
      // Only for rediss:// URLs: with a CA bundle oauth2-proxy uses TLS for any URL.
      ...(ca === undefined ? [] : [`--redis-ca-path=${caPath}`]),
    ],
    // oauth2-proxy cannot read the password from a file.
    env: password === undefined ? [] : [fromSecret("OAUTH2_PROXY_REDIS_PASSWORD", password.name, password.key)],
    mounted: ca === undefined ? [] : [caFileVolume("ca-redis", ca, caPath)],
    checkEnv: [
      literal("REDIS_URL", url),
      ...(username === undefined ? [] : [literal("REDIS_USERNAME", username)]),
      ...(password === undefined ? [] : [fromSecret("REDIS_PASSWORD", password.name, password.key)]),
      ...(ca === undefined ? [] : [literal("CA_FILE", caPath)]),
    ],
  };
}
