import { supportedVersions } from "./versions.ts";

/**
 * The oldest oauth2-proxy that is accepted. 7.15.5 fixed two critical authentication bypasses (GHSA-63jm-59jj-478j,
 * GHSA-wr5q-7wxw-x568) and credentials in the error log of callbacks (GHSA-hhqp-vx7f-5c6m).
 */
export const oldestProxy = "7.15.5";

/** The image if neither the spec nor the operator's settings set one. */
export const defaultProxyImage = "quay.io/oauth2-proxy/oauth2-proxy:v7.15.6";

/** Tags (RE2) of versions before {@link oldestProxy}. A tag without a full version, such as `latest` or `v7`, is accepted. */
export const tooOldProxy = "^v?([0-6]([.][0-9]+)*|7[.]([0-9]|1[0-4])([.][0-9]+)?|7[.]15[.][0-4])([-_+].*)?$";

/** An image reference with tag or digest; throws an Error with a message for the user if it has neither or is too old. */
export function checkedProxyImage(option: string, reference: string): string {
  const { tag, digest } = partsOf(reference);
  if (/\s/.test(reference) || (tag === undefined && digest === undefined)) {
    throw new Error(`${option} ${reference}: write an image with its tag or digest, such as ${defaultProxyImage}.`);
  }
  if (tag !== undefined && new RegExp(tooOldProxy).test(tag)) {
    throw new Error(
      `${option} ${reference}: oauth2-proxy before ${oldestProxy} has critical authentication bypasses (GHSA-63jm-59jj-478j, GHSA-wr5q-7wxw-x568). Use ${oldestProxy} or newer.`,
    );
  }
  return reference;
}

/** The tag and the digest of a reference, if they are well-formed. A colon before a slash belongs to a port. */
function partsOf(reference: string): { readonly tag: string | undefined; readonly digest: string | undefined } {
  const at = reference.indexOf("@");
  const name = at < 0 ? reference : reference.slice(0, at);
  const end = name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf(":")));
  const tag = /^:([A-Za-z0-9_][A-Za-z0-9_.-]*)$/.exec(end)?.[1];
  const digest = at < 0 ? undefined : /^@(sha256:[0-9a-f]{64})$/.exec(reference.slice(at))?.[1];
  return at >= 0 && digest === undefined ? { tag: undefined, digest } : { tag, digest };
}

/** Digests of the MLflow image, by the version of MLflow in it. */
export type ImageDigests = Readonly<Record<string, string>>;

/** Reads `3.17.2=sha256:…,3.16.1=sha256:…`. Throws an Error with a message for the user if the text is invalid. */
export function imageDigests(option: string, text: string | undefined): ImageDigests | undefined {
  if (text === undefined) return undefined;
  return Object.fromEntries(text.split(",").map((pair) => entry(option, pair.trim())));
}

function entry(option: string, pair: string): readonly [version: string, digest: string] {
  const [version = "", digest = ""] = pair.split("=");
  if (!supportedVersions.some((each) => each === version))
    throw new Error(
      `${option}: ${version} is not a supported version of MLflow: write one of ${supportedVersions.join(", ")}.`,
    );
  if (!/^sha256:[0-9a-f]{64}$/.test(digest))
    throw new Error(`${option}: write ${version}=sha256: and 64 hexadecimal digits in lower case.`);
  return [version, digest];
}
