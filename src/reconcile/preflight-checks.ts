import { insteadOf, isReserved } from "../api/environment.ts";
import { artifactStorageOf } from "../features/artifacts/index.ts";
import { authenticationMethod } from "../features/authentication/index.ts";
import type { Reference } from "../features/common/reference.ts";
import { certificateProblem } from "../features/common/secret-problems.ts";
import { referencesOf } from "../features/references.ts";
import { decoded } from "../kube/data.ts";
import { objectText } from "../kube/object.ts";
import { dataKeys } from "../model/names.ts";
import { needsOptIn } from "../model/workspaces.ts";
import { disallowedImages } from "../resources/pod/allowed-images.ts";
import { environment } from "../resources/pod/environment.ts";
import type { Cause } from "./cause.ts";
import { invalidPause } from "./conditions/paused.ts";
import { invalidCaBundle } from "./invalid-ca-bundle.ts";
import { invalidUrl } from "./invalid-url.ts";
import { lostSecret } from "./lost-secrets.ts";
import type { ObservedState } from "./observed-state.ts";
import { oversizedObject, referencesTooLarge, unreadableSecret } from "./oversized.ts";

/** Returns the causes because of which nothing is applied until a user or another controller makes a change. */
export type Precondition = (observed: ObservedState) => Cause | readonly Cause[] | undefined;

/** In the order in which they are reported. */
const preconditions: readonly Precondition[] = [
  invalidPause,
  oversizedObject,
  unreadableSecret,
  namespacedOperator,
  invalidUrl,
  imageNotAllowed,
  missingReferences,
  lostSecret,
  invalidDatabase,
  invalidArtifactStore,
  invalidAuthentication,
  invalidSessionKeys,
  invalidCertificate,
  invalidCaBundle,
  invalidCookieSecret,
  reservedVariable,
];

/**
 * All failed preconditions of a server, in the order of the checks. While there are any, nothing is changed. Missing content is
 * not also reported as invalid.
 */
export function failedChecks(observed: ObservedState): readonly Cause[] {
  const tooLarge = referencesTooLarge(observed);
  if (tooLarge !== undefined) return [tooLarge];
  const found = preconditions.flatMap((precondition) => precondition(observed) ?? []);
  return [...new Map(found.map((cause) => [cause.message, cause])).values()];
}

/** The cause if an operator with Roles instead of a ClusterRole would need objects outside the server's namespace. */
function namespacedOperator({ server, installation }: ObservedState): Cause | undefined {
  const { namespaces } = installation;
  if (namespaces === undefined || !needsOptIn(server.spec)) return undefined;
  const [what, instead] =
    server.spec.workspaces === undefined
      ? ["accessReview: SubjectAccessReview", "use accessReview: SelfSubjectAccessReview"]
      : ["spec.workspaces", "leave out spec.workspaces"];
  return {
    reason: "WorkspacesUnavailable",
    message: `${what} needs an operator that watches all namespaces, but this operator watches ${namespaces.join(", ")} only, so nothing is applied for this server: install the operator without watchNamespaces, or ${instead}`,
  };
}

/** The causes if the operator's settings do not allow images, which get the Secrets of the namespace. */
function imageNotAllowed({ model, installation }: ObservedState): Cause[] {
  const allowed = (installation.allowedImages ?? []).slice(0, 8).join(", ");
  return disallowedImages(model, installation).map(({ image, path }) => ({
    reason: "ImageNotAllowed",
    message: `${path} is ${image}, which the operator's setting --allowed-images (allowedImages in the chart) does not contain, so no pods are started with it. Use an image of ${allowed}, leave out ${path}, or ask a cluster administrator`,
  }));
}

function missingReferences({ server, references }: ObservedState): Cause[] {
  return referencesOf(server.spec).flatMap((reference): Cause[] => {
    const { kind, name, path, optional } = reference;
    if (optional) return [];
    const object = kind === "Secret" ? references.secrets.get(name) : references.configMaps.get(name);
    const place = `in namespace ${server.metadata.namespace}`;
    if (object === undefined) {
      return [
        {
          reason: kind === "Secret" ? "SecretNotFound" : "ConfigMapNotFound",
          message: `${path} names ${kind} ${name}, which does not exist ${place}. Create it${withKeys(reference)}, or name another`,
        },
      ];
    }
    const missing = reference.keys.filter((key) => object.data?.[key] === undefined);
    if (missing.length === 0) return [];
    const [keys, them] = missing.length === 1 ? ["key", "it"] : ["keys", "them"];
    return [
      {
        reason: kind === "Secret" ? "SecretKeyMissing" : "ConfigMapKeyMissing",
        message: `${path} needs the ${keys} ${missing.join(", ")} of ${kind} ${name} ${place}, which has ${keyList(object.data)}. Add ${them}, or name another key`,
      },
    ];
  });
}

function withKeys({ keys }: Reference): string {
  return keys.length === 0 ? "" : ` with the ${keys.length === 1 ? "key" : "keys"} ${keys.join(", ")}`;
}

function keyList(data: Record<string, string> | undefined): string {
  const keys = Object.keys(data ?? {}).sort();
  return keys.length === 0 ? "no keys" : `only ${keys.slice(0, 8).join(", ")}`;
}

/** The causes if the content of Secrets with the address or the credentials of a database is invalid. */
function invalidDatabase({ references, model }: ObservedState): Cause[] {
  const { users } = model.authentication;
  const databases = [model.database, ...(users === undefined ? [] : [users.database])];
  return databases
    .flatMap(({ problems }) => problems(references))
    .map((message) => ({ reason: "InvalidSecret", message }));
}

/** The causes if the name or the credentials of an artifact store are invalid: MLflow would use others, or none. */
function invalidArtifactStore({ server, references }: ObservedState): Cause[] {
  const { values = [] } = artifactStorageOf(server.spec);
  return values.flatMap(({ kind, name, key, problemOf }): Cause[] => {
    const value =
      kind === "Secret"
        ? decoded(references.secrets.get(name)?.data, key)
        : references.configMaps.get(name)?.data?.[key];
    const problem = value === undefined ? undefined : problemOf(value);
    if (problem === undefined) return [];
    const reason = kind === "Secret" ? "InvalidSecret" : "InvalidConfigMap";
    return [{ reason, message: `the key ${key} of ${kind} ${name} ${problem}` }];
  });
}

/** The causes if the content of Secrets for authentication is invalid. */
function invalidAuthentication({ server, references }: ObservedState): Cause[] {
  return authenticationMethod(server.spec)
    .problems(references)
    .map((message) => ({ reason: "InvalidSecret", message }));
}

function invalidCertificate({ server, references }: ObservedState): Cause | undefined {
  const secretName = server.spec.server?.tls?.certificateSecretRef.name;
  if (secretName === undefined) return undefined;
  const problem = certificateProblem(secretName, references.secrets.get(secretName)?.data);
  return problem === undefined ? undefined : { reason: "InvalidSecret", message: problem };
}

/** The causes if a source of envFrom has a reserved key that the operator does not set itself. */
function reservedVariable({ server, references, model }: ObservedState): Cause[] {
  const operatorVariables = new Set(environment(model).map(({ name }) => name));
  const sources = server.spec.server?.envFrom ?? [];
  return sources.flatMap(({ prefix = "", secretRef, configMapRef }): Cause[] => {
    const source = secretRef
      ? references.secrets.get(secretRef.name)
      : references.configMaps.get(configMapRef?.name ?? "");
    const open = Object.keys(source?.data ?? {}).find(
      (key) => isReserved(prefix + key) && !operatorVariables.has(prefix + key),
    );
    if (source === undefined || open === undefined) return [];
    return [
      {
        reason: "ReservedVariable",
        message: `${objectText(source)}, a source of spec.server.envFrom, has the key ${open}, and ${prefix}${open} cannot be set there: ${insteadOf(prefix + open)}. Remove the key, or list keys individually in spec.server.env`,
      },
    ];
  });
}

function invalidSessionKeys({ server, model }: ObservedState): Cause | undefined {
  const secretName = server.spec.server?.sessionSecretRef?.name;
  if (secretName === undefined) return undefined;
  const { flaskSecretKey, kekPassphrase, webhookKey, kekVersion, accepted } = model.session.keys;
  const problem =
    [
      passphraseProblem(dataKeys.flaskSecretKey, flaskSecretKey),
      passphraseProblem(dataKeys.kekPassphrase, kekPassphrase),
      fernetProblem(dataKeys.webhookKey, webhookKey),
      passphraseProblem(dataKeys.acceptedFlaskSecretKey, accepted?.flaskSecretKey),
      passphraseProblem(dataKeys.acceptedKekPassphrase, accepted?.kekPassphrase),
      fernetProblem(dataKeys.acceptedWebhookKey, accepted?.webhookKey),
      versionProblem(dataKeys.kekVersion, kekVersion, accepted),
      versionProblem(dataKeys.acceptedKekVersion, accepted?.kekVersion, accepted),
    ].find((each) => each !== undefined) ??
    (accepted?.kekVersion !== undefined && accepted.kekVersion === kekVersion
      ? `${dataKeys.kekVersion} and ${dataKeys.acceptedKekVersion} are the same: use a higher version for the new passphrase`
      : undefined);
  return problem === undefined ? undefined : { reason: "InvalidSecret", message: `Secret ${secretName}: ${problem}` };
}

function passphraseProblem(key: string, value: string | undefined): string | undefined {
  if (value === undefined || value.length >= 16) return undefined;
  return `${key} has fewer than 16 characters: generate one with openssl rand -hex 32`;
}

function fernetProblem(key: string, value: string | undefined): string | undefined {
  if (value === undefined || /^[A-Za-z0-9_-]{43}=$/.test(value)) return undefined;
  return `${key} is not a Fernet key (32 bytes in URL-safe base64): generate one with openssl rand -base64 32 | tr +/ -_`;
}

/** The version is part of the derivation of the key, so with another passphrase both versions must be known. */
function versionProblem(
  key: string,
  value: string | undefined,
  accepted: ObservedState["model"]["session"]["keys"]["accepted"],
): string | undefined {
  if (value === undefined) {
    if (accepted?.kekPassphrase === undefined) return undefined;
    return `${key} is missing, which ${dataKeys.acceptedKekPassphrase} needs: the version of the first passphrase is 1`;
  }
  return /^[1-9][0-9]{0,8}$/.test(value)
    ? undefined
    : `${key} is not a number from 1 on: the version of the first passphrase is 1`;
}

/** The cause if a user's session Secret has no cookie secret that oauth2-proxy accepts. A generated one is valid. */
function invalidCookieSecret({ server, model }: ObservedState): Cause | undefined {
  const secretName = server.spec.server?.sessionSecretRef?.name;
  if (model.proxy === undefined || secretName === undefined) return undefined;
  if (/^[A-Za-z0-9]{32}$/.test(model.session.keys.cookieSecret ?? "")) return undefined;
  return {
    reason: "InvalidSecret",
    message: `Secret ${secretName}: ${dataKeys.cookieSecret} is not 32 letters and digits: generate one with openssl rand -hex 16`,
  };
}
