import { supportedVersions } from "./versions.ts";

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
