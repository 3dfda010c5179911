import { succeeded } from "../../test/control-plane/completed.ts";

/** Writes a .tar.gz of all files of a folder, which depends on their content and names only. Requires GNU tar or bsdtar. */
export async function writeArchive(folder: string, files: readonly string[], path: string): Promise<void> {
  const isGnu = (await succeeded("tar", ["--version"])).includes("GNU tar");
  const stable = isGnu
    ? ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]
    : ["--uid=0", "--gid=0", "--numeric-owner"];
  // Without the time in gzip's header.
  await succeeded("tar", [...stable, "--use-compress-program=gzip -n", "-cf", path, "-C", folder, ...files]);
}
