import { z } from "zod";
import { defaults } from "../defaults.ts";
import { duration, isDuration } from "./amounts.ts";
import { hostWithPort } from "./host.ts";
import { certificateAuthority, secretKey } from "./reference.ts";
import { type Rule, requiredRemedy, rules } from "./rule.ts";
import { text, url } from "./text.ts";

const refresh = `(has(self.refresh) ? self.refresh : '${defaults.sessionRefresh}')`;
const expire = `(has(self.expire) ? self.expire : '${defaults.sessionExpire}')`;

const refreshedInTime: Rule = {
  rule: `!${isDuration(refresh)} || !${isDuration(expire)} || duration(${refresh}) < duration(${expire})`,
  message: `refresh must be shorter than expire (defaults: ${defaults.sessionRefresh} and ${defaults.sessionExpire})`,
};

/** A Redis server: one address, which can be that of a proxy in front of several servers. */
const redis = z
  .strictObject({
    url: url(
      "URL of Redis: rediss for TLS, or redis for plain text, with an optional database number. Example: rediss://redis.example.com:6379/0.",
      512,
      {
        rule: `self.matches('^rediss?://${hostWithPort}(/[0-9]{1,3})?$')`,
        message:
          "url is rediss:// (TLS) or redis://, a host, and an optional port and database number, such as rediss://redis.example.com:6379/0: the user and the password have their own fields",
      },
    ).meta(requiredRemedy("write the address of Redis, such as url: rediss://redis.example.com:6379")),
    username: text(
      "User, if Redis has an access control list. Default: the default user of Redis. Example: mlflow.",
    ).optional(),
    passwordSecretRef: secretKey(
      "The password. A change rolls the pods. Default: none. Example: {name: redis, key: password}.",
    ).optional(),
    ca: certificateAuthority(
      "CA bundle for Redis, in addition to the public CAs. A change rolls the pods. Default: none. Example: {configMapRef: {name: example-ca}}.",
    ).optional(),
  })
  .meta({
    description:
      "Stores sessions in Redis, encrypted with a key that only the cookie of the browser contains. Default: the session is stored in the cookie, whose size grows with the tokens, and a copy of the cookie stays valid after signing out. Example: {url: rediss://redis.example.com:6379/0}.",
    ...rules(
      {
        rule: "!has(self.ca) || !has(self.url) || self.url.startsWith('rediss://')",
        message: "ca is for TLS: write url as rediss://, or leave out ca",
        fieldPath: ".ca",
      },
      {
        rule: "!has(self.username) || has(self.passwordSecretRef)",
        message: "a user of Redis needs a password: add passwordSecretRef, or leave out username",
        fieldPath: ".username",
      },
    ),
  });

/** The sessions of browsers in oauth2-proxy. */
export const proxySession = z
  .strictObject({
    refresh: duration(
      `Interval after which the session, with its groups, is refreshed at the issuer. With authentication.kubernetes it must be shorter than the lifetime of the issuer's identity tokens: an expired token is rejected with 401, and the page redirects to the sign-in. Default: ${defaults.sessionRefresh}; with authentication.kubernetes ${defaults.kubernetesSessionRefresh}. Example: 10m.`,
    ).optional(),
    expire: duration(
      `Lifetime of a session, after which users must sign in again. Default: ${defaults.sessionExpire}. Example: 12h.`,
    ).optional(),
    redis: redis.optional(),
  })
  .meta({
    description:
      "Sessions of browsers. Default: each session is stored in an encrypted cookie. Example: {expire: 12h}.",
    ...rules(refreshedInTime),
  });

export type RedisSettings = z.infer<typeof redis>;
