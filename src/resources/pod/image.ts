import type { Inputs } from "../../model/inputs.ts";

/** Returns the image of MLflow: `repository:tag`, or `repository@digest` if the server or the operator sets a digest. */
export function imageOf({ server, installation }: Pick<Inputs, "server" | "installation">): string {
  const { version, image: own = {} } = server.spec;
  const { repository = installation.imageRepository, tag = version } = own;
  // The operator's digests belong to its default repository and the tag of the version.
  const isDefault = own.repository === undefined && own.tag === undefined;
  const digest = own.digest ?? (isDefault ? installation.imageDigests?.[version] : undefined);
  return digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`;
}
