import type { Installation } from "../../model/inputs.ts";
import type { ServerBase } from "../../model/server-base.ts";

/** An image of a server's pods, and the field that sets it. */
interface ChosenImage {
  readonly image: string;
  readonly path: string;
}

/** Returns the images of a server that `--allowed-images` does not allow; empty without this setting. */
export function disallowedImages(
  { image: mlflow, proxy }: Pick<ServerBase, "image" | "proxy">,
  installation: Pick<Installation, "allowedImages" | "imageRepository" | "proxyImage">,
): ChosenImage[] {
  const { allowedImages } = installation;
  if (allowedImages === undefined) return [];
  const chosen: ChosenImage[] = [
    { image: mlflow.name, path: "spec.image" },
    ...(proxy === undefined ? [] : [{ image: proxy.image.name, path: "spec.authentication.oauth2Proxy.image" }]),
  ];
  const own = [installation.imageRepository, repositoryOf(installation.proxyImage)];
  return chosen.filter(({ image }) => ![...own, ...allowedImages].some((pattern) => isImageOf(image, pattern)));
}

/** Whether an image matches a pattern: a repository with any tag or digest, or `prefix/*` for all repositories below it. */
export function isImageOf(image: string, pattern: string): boolean {
  const whole = withRegistry(image);
  if (pattern.endsWith("/*")) return whole.startsWith(withRegistry(pattern).slice(0, -1));
  const wanted = withRegistry(pattern);
  return whole === wanted || repositoryOf(whole) === wanted;
}

/** `ghcr.io/a/b:1@sha256:…` → `ghcr.io/a/b`. */
export function repositoryOf(image: string): string {
  const [named = ""] = image.split("@");
  const slash = named.lastIndexOf("/");
  const colon = named.indexOf(":", slash);
  return colon < 0 ? named : named.slice(0, colon);
}

/** Returns the image with its registry as container runtimes resolve it: by default docker.io, and its library. */
function withRegistry(image: string): string {
  const [first = "", ...rest] = image.split("/");
  if (rest.length > 0 && (/[.:]/.test(first) || first === "localhost")) return image;
  return rest.length === 0 ? `docker.io/library/${image}` : `docker.io/${image}`;
}

/** Returns the setting as a list. Throws an Error with a message for the user if an entry is not an image. */
export function allowedImagesOf(option: string, text: string | undefined): Installation["allowedImages"] {
  const entries = (text ?? "")
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
  const wrong = entries.find((entry) => !/^[A-Za-z0-9]([A-Za-z0-9._:@/-]*[A-Za-z0-9])?(\/\*)?$/.test(entry));
  if (wrong !== undefined) {
    throw new Error(
      `${option}: ${wrong} is not an image. Use a repository such as ghcr.io/team/mlflow, or ghcr.io/team/* for all repositories below it.`,
    );
  }
  return entries.length === 0 ? undefined : entries;
}
