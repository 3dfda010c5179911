import { join } from "node:path";
import { supportedVersions } from "../../src/api/versions.ts";
import { version as operatorVersion } from "../../src/settings.ts";
import { pauseImage } from "./containerd.ts";
import type { Image } from "./image.ts";
import type { ProgramName, Programs } from "./programs.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = (name: string) => join(import.meta.dirname, "images", name);

/** The operator's default repository of MLflow's image. */
const mlflowRepository = "ghcr.io/mlflow-operator/mlflow-server";

/** The short names of images in tests; in addition `mlflow-server:<version>`. */
export const imageNames = ["busybox", "mariadb", "mlflow-operator", "postgres", "prometheus", "s3", "slapd"] as const;

export type ImageName = (typeof imageNames)[number] | `mlflow-server:${(typeof supportedVersions)[number]}`;

/** Returns the image with a short name. Throws for an unknown name. */
export function imageNamed(name: string): Image {
  if (name === "busybox") return busybox;
  if (name === "mlflow-operator") return operator;
  if (name === "mariadb") return { reference: "localhost/mariadb:1", directory: folder(name), onDebian: true };
  if (name === "postgres") return { reference: "localhost/postgres:17", directory: folder(name), onDebian: true };
  if (name === "prometheus") return { reference: "localhost/prometheus:1", directory: folder(name), onDebian: true };
  if (name === "s3") return { reference: "localhost/s3:1", directory: folder(name), onDebian: true };
  if (name === "slapd") return { reference: "localhost/slapd:1", directory: folder(name), onDebian: true };
  const version = supportedVersions.find((each) => name === `mlflow-server:${each}`);
  if (version !== undefined)
    return {
      reference: `${mlflowRepository}:${version}`,
      directory: join(root, "images", "mlflow-server"),
      buildArgs: { MLFLOW_VERSION: version },
      onDebian: true,
    };
  const known = [...imageNames, ...supportedVersions.map((each) => `mlflow-server:${each}`)];
  throw new Error(`Unknown image "${name}". Use one of ${known.join(", ")}.`);
}

/** The operator's image, with the reference in the chart and config/. */
const operator: Image = {
  reference: `ghcr.io/mlflow-operator/mlflow-operator:${operatorVersion}`,
  directory: root,
  onNode: true,
};

const busybox: Image = {
  reference: "localhost/busybox:1",
  directory: folder("busybox"),
  files: { busybox: "/usr/bin/busybox" },
};

/** Returns the images of the cluster's system pods. */
export function systemImages(programs: Programs): readonly Image[] {
  const fromProgram = (name: ProgramName, reference = `localhost/${name}:1`): Image => ({
    reference,
    directory: folder(name),
    files: { [name]: programs(name) },
  });
  return [
    fromProgram("pause", pauseImage),
    busybox,
    fromProgram("coredns"),
    fromProgram("volume-provisioner"),
    fromProgram("metrics-server"),
  ];
}
