import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Report, reportOnStderr } from "../control-plane/binaries.ts";
import { withLock } from "../control-plane/build-lock.ts";
import { succeeded } from "../control-plane/completed.ts";
import { cacheDirectory } from "../control-plane/go-programs.ts";
import type { Image } from "./image.ts";
import { installPackages, type Packages } from "./packages.ts";

const version = "26.7.3";
const name = `keycloak-quarkus-dist-${version}.zip`;
/** SHA-256 of the archive in Maven Central. */
const digest = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f";

/** What fetches the archive. Keycloak itself runs on the Java of its image. */
const maven: Packages = { "default-jre-headless": "java", maven: "mvn" };

/** The image that pods run: Keycloak on Debian's Java, built once. Rejects with what to install where that is not possible. */
export async function keycloakImage(report: Report = reportOnStderr): Promise<Image> {
  return {
    reference: `localhost/keycloak:${version}`,
    directory: join(import.meta.dirname, "images", "keycloak"),
    files: { "keycloak.zip": await keycloakArchive(report) },
    onDebian: true,
  };
}

/** The path of Keycloak's archive, fetched from Maven Central once and compared with its digest. */
async function keycloakArchive(report: Report): Promise<string> {
  const directory = join(cacheDirectory(), `keycloak-${version}`);
  const archive = join(directory, name);
  if (existsSync(archive)) return archive;
  await installPackages(report, maven);
  await mkdir(directory, { recursive: true });
  const waiting = (owner: number) => report(`keycloak: process ${owner} is fetching it; waiting for that.`);
  await withLock(join(directory, ".lock"), waiting, async () => {
    for (const left of (await readdir(directory)).filter((each) => each.startsWith("draft-")))
      await rm(join(directory, left), { recursive: true });
    if (!existsSync(archive)) await fetchArchive(directory, archive, report);
  });
  return archive;
}

async function fetchArchive(directory: string, archive: string, report: Report): Promise<void> {
  const began = Date.now();
  const draft = await mkdtemp(join(directory, "draft-"));
  report(`keycloak ${version}: fetching it from Maven Central, once`);
  try {
    // A separate repository: the archive is otherwise kept twice.
    const options = ["--batch-mode", "--quiet", `-Dmaven.repo.local=${join(draft, "repository")}`];
    const copy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
    const artifact = `-Dartifact=org.keycloak:keycloak-quarkus-dist:${version}:zip`;
    await succeeded("mvn", [...options, copy, artifact, `-DoutputDirectory=${draft}`], { cwd: draft });
    const fetched = join(draft, name);
    const found = createHash("sha256")
      .update(await readFile(fetched))
      .digest("hex");
    if (found !== digest) throw new Error(`Maven Central's ${name} has the SHA-256 digest ${found} and not ${digest}.`);
    await rename(fetched, archive);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  report(`keycloak ${version}: fetched in ${Math.round((Date.now() - began) / 1000)} s`);
}
