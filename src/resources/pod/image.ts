import type { Inputs } from "../inputs.ts";

/** The image of MLflow: `repository:tag`, or `repository@digest` where a digest is given. */
export function imageOf({ server, installation }: Pick<Inputs, "server" | "installation">): string {
  const { repository = installation.imageRepository, tag = server.spec.version, digest } = server.spec.image ?? {};
  return digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`;
}
