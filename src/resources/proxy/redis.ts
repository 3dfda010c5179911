import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import type { RedisSettings } from "../../api/fields/proxy-session.ts";
import type { Inputs } from "../inputs.ts";
import { caFileVolume, type Mounted } from "../pod/mounted-volume.ts";
import { fromSecret, literal } from "../pod/variable.ts";
import { caReferences, type Reference, secretReference } from "../reference.ts";
import { peerCheck } from "./peer-check.ts";

const authorityPath = "/etc/oauth2-proxy/ca/redis/ca.crt";

/** Sessions in Redis, or as oauth2-proxy has it by default: in cookies. */
export function sessionArguments(redis: RedisSettings | undefined): string[] {
  if (redis === undefined) return [];
  return [
    "--session-store-type=redis",
    `--redis-connection-url=${redis.url}`,
    ...(redis.username === undefined ? [] : [`--redis-username=${redis.username}`]),
    // Only with TLS: oauth2-proxy would speak TLS to any address where an authority is named.
    ...(redis.ca === undefined ? [] : [`--redis-ca-path=${authorityPath}`]),
  ];
}

/** The password, which oauth2-proxy takes from no file. */
export function sessionVariables(redis: RedisSettings | undefined): V1EnvVar[] {
  const password = redis?.passwordSecretRef;
  return password === undefined ? [] : [fromSecret("OAUTH2_PROXY_REDIS_PASSWORD", password.name, password.key)];
}

/** Certificates that Redis is checked against, besides the public ones. */
export function sessionMounts(redis: RedisSettings | undefined): Mounted[] {
  return redis?.ca === undefined ? [] : [caFileVolume("ca-redis", redis.ca, authorityPath)];
}

/** The Secrets and ConfigMaps that it needs. */
export function sessionReferences(redis: RedisSettings | undefined): Reference[] {
  if (redis === undefined) return [];
  const path = "spec.authentication.oauth2Proxy.session.redis";
  const { passwordSecretRef: password, ca } = redis;
  return [
    ...(password === undefined ? [] : [secretReference(password.name, [password.key], `${path}.passwordSecretRef`)]),
    ...caReferences(ca, `${path}.ca`),
  ];
}

/** Waits until Redis takes the proxy's user. */
export function redisCheck(inputs: Inputs, redis: RedisSettings): V1Container {
  const { url, username, passwordSecretRef: password, ca } = redis;
  return peerCheck(inputs, "sessions", "check_redis.py", [
    literal("REDIS_URL", url),
    ...(username === undefined ? [] : [literal("REDIS_USERNAME", username)]),
    ...(password === undefined ? [] : [fromSecret("REDIS_PASSWORD", password.name, password.key)]),
    ...(ca === undefined ? [] : [literal("CA_FILE", authorityPath)]),
  ]);
}
