import type { Inputs } from "../../model/inputs.ts";

/** Returns the image of oauth2-proxy: the fields of the spec, with the operator's setting as the default. */
export function proxyImageOf({ server, installation }: Pick<Inputs, "server" | "installation">): string {
  const { repository, tag, digest } = server.spec.authentication.oauth2Proxy?.image ?? {};
  const defaultImage = partsOf(installation.proxyImage);
  const name = repository ?? defaultImage.repository;
  if (digest !== undefined) return `${name}@${digest}`;
  if (tag !== undefined) return `${name}:${tag}`;
  return `${name}${defaultImage.version}`;
}

/** Splits an image before `:tag` or `@digest`; a colon before a slash belongs to the registry's port. */
function partsOf(reference: string): { readonly repository: string; readonly version: string } {
  const digest = reference.indexOf("@");
  const colon = reference.lastIndexOf(":");
  const cut = digest >= 0 ? digest : colon > reference.lastIndexOf("/") ? colon : reference.length;
  return { repository: reference.slice(0, cut), version: reference.slice(cut) };
}
