import { join } from "node:path";
import { type Report, reportOnStderr } from "../control-plane/binaries.ts";
import { type GoModule, goPrograms } from "../control-plane/go-programs.ts";
import type { Image } from "./image.ts";

const versitygw = {
  directory: join(import.meta.dirname, "go", "versitygw"),
  packages: { versitygw: "github.com/versity/versitygw/cmd/versitygw" },
  stamp: (version) => `-X main.Version=${version}`,
} as const satisfies GoModule;

/** The path of VersityGW, an S3 server, built once from its Go module: about three minutes of one core. */
export async function versitygwProgram(report: Report = reportOnStderr): Promise<string> {
  return (await goPrograms(versitygw, report))["versitygw"] ?? "";
}

/** The image that pods run. */
export async function versitygwImage(report: Report = reportOnStderr): Promise<Image> {
  return {
    reference: "localhost/versitygw:1",
    directory: join(import.meta.dirname, "images", "versitygw"),
    files: { versitygw: await versitygwProgram(report), busybox: "/usr/bin/busybox" },
  };
}
