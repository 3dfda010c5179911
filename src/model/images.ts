import type { ProxySettings } from "../api/fields/oauth2-proxy.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import type { Installation } from "./inputs.ts";

/** The image of a container, and when the kubelet pulls it. */
export interface ContainerImage {
  readonly name: string;
  readonly pullPolicy: "Always" | "IfNotPresent" | "Never";
}

/** Returns the image of MLflow: `repository:tag`, or `repository@digest` if the server or the operator sets a digest. */
export function mlflowImage(
  { version, image: own = {} }: Pick<MlflowServerSpec, "version" | "image">,
  installation: Pick<Installation, "imageRepository" | "imageDigests">,
): ContainerImage {
  const { repository = installation.imageRepository, tag = version, pullPolicy = "IfNotPresent" } = own;
  // The operator's digests belong to its default repository and the tag of the version.
  const isDefault = own.repository === undefined && own.tag === undefined;
  const digest = own.digest ?? (isDefault ? installation.imageDigests?.[version] : undefined);
  return { name: digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`, pullPolicy };
}

/** Returns the image of oauth2-proxy: the fields of the spec, with the operator's setting as the default. */
export function proxyImage(
  { image = {} }: Pick<ProxySettings, "image">,
  installation: Pick<Installation, "proxyImage">,
): ContainerImage {
  const { repository, tag, digest, pullPolicy = "IfNotPresent" } = image;
  const defaultImage = partsOf(installation.proxyImage);
  const name = repository ?? defaultImage.repository;
  if (digest !== undefined) return { name: `${name}@${digest}`, pullPolicy };
  return { name: tag === undefined ? `${name}${defaultImage.version}` : `${name}:${tag}`, pullPolicy };
}

/** Splits an image before `:tag` or `@digest`; a colon before a slash belongs to the registry's port. */
function partsOf(reference: string): { readonly repository: string; readonly version: string } {
  const digest = reference.indexOf("@");
  const colon = reference.lastIndexOf(":");
  const cut = digest >= 0 ? digest : colon > reference.lastIndexOf("/") ? colon : reference.length;
  return { repository: reference.slice(0, cut), version: reference.slice(cut) };
}
