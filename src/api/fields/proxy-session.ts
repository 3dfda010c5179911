import { z } from "zod";
import { defaults } from "../defaults.ts";
import { duration, isDuration } from "./duration.ts";
import { certificateAuthority, secretKey } from "./reference.ts";
import { demanded, type Rule, rules } from "./rule.ts";
import { text } from "./text.ts";
import { hostWithPort } from "./url-host.ts";

const refresh = `(has(self.refresh) ? self.refresh : '${defaults.sessionRefresh}')`;
const expire = `(has(self.expire) ? self.expire : '${defaults.sessionExpire}')`;

const refreshedInTime: Rule = {
  rule: `!${isDuration(refresh)} || !${isDuration(expire)} || duration(${refresh}) < duration(${expire})`,
  message: `refresh must be shorter than expire (defaults: ${defaults.sessionRefresh} and ${defaults.sessionExpire})`,
};

/** A Redis server: one address, which may be that of a proxy before several. */
const redis = z
  .strictObject({
    url: text(
      "Where Redis is: rediss for TLS, or redis in the clear; the number of a database may follow. Example: rediss://redis.example.com:6379/0.",
      512,
      {
        rule: `self.matches('^rediss?://${hostWithPort}(/[0-9]{1,3})?$')`,
        message:
          "url is rediss:// (TLS) or redis://, a host, and perhaps a port and the number of a database, such as rediss://redis.example.com:6379/0: the user and the password have fields of their own",
      },
    ).meta(demanded("write the address of Redis, such as url: rediss://redis.example.com:6379")),
    username: text("User, where Redis has an access control list. Default: Redis' own default user.").optional(),
    passwordSecretRef: secretKey("The password. A change rolls the pods. Default: none.").optional(),
    ca: certificateAuthority(
      "Certificate authority of Redis, besides the public ones. A change rolls the pods.",
    ).optional(),
  })
  .meta({
    description:
      "Keeps sessions in a Redis server, encrypted with a key that only the browser's cookie has. Default: the whole session is in the cookie, which then is large where tokens are, and signing out does not end a copy of it.",
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

/** The sessions of browsers behind the proxy. */
export const proxySession = z
  .strictObject({
    refresh: duration(
      `After which time the session is renewed at the issuer, groups included. With authentication.kubernetes it must be shorter than the lifetime of the issuer's identity tokens: an expired token is rejected with 401, and the page leads to the sign-in. Default: ${defaults.sessionRefresh}; with authentication.kubernetes ${defaults.kubernetesSessionRefresh}. Example: 10m.`,
    ).optional(),
    expire: duration(`After which time one must sign in again. Default: ${defaults.sessionExpire}.`).optional(),
    redis: redis.optional(),
  })
  .meta({
    description: "Sessions of browsers. By default each is kept in an encrypted cookie.",
    ...rules(refreshedInTime),
  });

export type RedisSettings = z.infer<typeof redis>;
