import type { Inputs } from "../inputs.ts";

/** The image of MLflow: `repository:tag`, or `repository@digest` where a digest is given, by the server or for its version. */
export function imageOf({ server, installation }: Pick<Inputs, "server" | "installation">): string {
  const { version, image: own = {} } = server.spec;
  const { repository = installation.imageRepository, tag = version } = own;
  // The digest of the operator's settings is that of its own repository under the version's own tag.
  const isDefault = own.repository === undefined && own.tag === undefined;
  const digest = own.digest ?? (isDefault ? installation.imageDigests?.[version] : undefined);
  return digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`;
}
