import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import type { RedisSettings } from "../../api/fields/proxy-session.ts";
import { caFileVolume, type Mounted } from "../../features/common/mounted-volume.ts";
import type { ServerModel } from "../../features/server-model.ts";
import { fromSecret, literal } from "../../kube/variable.ts";
import { checkRedisProgram } from "../python-programs.ts";
import { peerCheck } from "./peer-check.ts";

const caPath = "/etc/oauth2-proxy/ca/redis/ca.crt";

/** Returns the arguments for sessions in Redis; by default oauth2-proxy stores them in cookies. */
export function sessionArguments(redis: RedisSettings | undefined): string[] {
  if (redis === undefined) return [];
  return [
    "--session-store-type=redis",
    `--redis-connection-url=${redis.url}`,
    ...(redis.username === undefined ? [] : [`--redis-username=${redis.username}`]),
    // Only for rediss:// URLs: with a CA bundle oauth2-proxy uses TLS for any URL.
    ...(redis.ca === undefined ? [] : [`--redis-ca-path=${caPath}`]),
  ];
}

/** Returns the variable with the password, which oauth2-proxy cannot read from a file. */
export function sessionVariables(redis: RedisSettings | undefined): V1EnvVar[] {
  const password = redis?.passwordSecretRef;
  return password === undefined ? [] : [fromSecret("OAUTH2_PROXY_REDIS_PASSWORD", password.name, password.key)];
}

/** Returns the CA bundle for Redis, in addition to public CAs. */
export function sessionMounts(redis: RedisSettings | undefined): Mounted[] {
  return redis?.ca === undefined ? [] : [caFileVolume("ca-redis", redis.ca, caPath)];
}

/** Returns the init container that waits until Redis accepts the proxy's user. */
export function redisCheck(model: ServerModel, redis: RedisSettings): V1Container {
  const { url, username, passwordSecretRef: password, ca } = redis;
  return peerCheck(model, "sessions", checkRedisProgram, [
    literal("REDIS_URL", url),
    ...(username === undefined ? [] : [literal("REDIS_USERNAME", username)]),
    ...(password === undefined ? [] : [fromSecret("REDIS_PASSWORD", password.name, password.key)]),
    ...(ca === undefined ? [] : [literal("CA_FILE", caPath)]),
  ]);
}
