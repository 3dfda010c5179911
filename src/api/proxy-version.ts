/**
 * The oldest oauth2-proxy that is accepted. 7.15.5 fixed two critical authentication bypasses (GHSA-63jm-59jj-478j,
 * GHSA-wr5q-7wxw-x568) and credentials in the error log of callbacks (GHSA-hhqp-vx7f-5c6m).
 */
export const oldestProxy = "7.15.5";

/** What runs where neither the spec nor the operator's settings name another. */
export const defaultProxyImage = "quay.io/oauth2-proxy/oauth2-proxy:v7.15.6";

/** Tags (RE2) of versions before {@link oldestProxy}. A tag such as `latest` or `v7` tells no version, and passes. */
export const tooOldProxy = "^v?([0-6]([.][0-9]+)*|7[.]([0-9]|1[0-4])([.][0-9]+)?|7[.]15[.][0-4])([-_+].*)?$";

/** An image reference with tag or digest; throws an Error with a sentence where it has neither, or is too old. */
export function checkedProxyImage(option: string, reference: string): string {
  const [, tag, digest] =
    /^[^@\s]*?(?::([A-Za-z0-9_][A-Za-z0-9_.-]*))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(reference) ?? [];
  if (tag === undefined && digest === undefined) {
    throw new Error(`${option} ${reference}: write an image with its tag or digest, such as ${defaultProxyImage}.`);
  }
  if (tag !== undefined && new RegExp(tooOldProxy).test(tag)) {
    throw new Error(
      `${option} ${reference}: oauth2-proxy before ${oldestProxy} has critical authentication bypasses (GHSA-63jm-59jj-478j, GHSA-wr5q-7wxw-x568). Use ${oldestProxy} or newer.`,
    );
  }
  return reference;
}
