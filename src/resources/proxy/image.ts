import type { Inputs } from "../inputs.ts";

/** The image of oauth2-proxy: what the spec says of it, and for the rest the operator's setting. */
export function proxyImageOf({ server, installation }: Pick<Inputs, "server" | "installation">): string {
  const { repository, tag, digest } = server.spec.authentication.oauth2Proxy?.image ?? {};
  const usual = partsOf(installation.proxyImage);
  const name = repository ?? usual.repository;
  if (digest !== undefined) return `${name}@${digest}`;
  if (tag !== undefined) return `${name}:${tag}`;
  return `${name}${usual.version}`;
}

/** A reference, cut before `:tag` or `@digest`; a colon before a slash belongs to the registry's port. */
function partsOf(reference: string): { readonly repository: string; readonly version: string } {
  const digest = reference.indexOf("@");
  const colon = reference.lastIndexOf(":");
  const cut = digest >= 0 ? digest : colon > reference.lastIndexOf("/") ? colon : reference.length;
  return { repository: reference.slice(0, cut), version: reference.slice(cut) };
}
