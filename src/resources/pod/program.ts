import { deflateSync } from "node:zlib";
import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import type { Mounted } from "../../features/common/mounted-volume.ts";
import type { ServerModel } from "../../features/server-model.ts";
import { escaped, literal } from "../../kube/variable.ts";
import { containerSecurityContext, type MountedContainer } from "./pod-spec.ts";

/**
 * The operator's programs are in the pod template, compressed, and not in a ConfigMap or Secret: only users who can change the
 * workload can change them, and each revision of a Deployment keeps its own.
 */
export const programVariable = "MLFLOW_OPERATOR_PROGRAM";

/** The directory of the programs that a pod imports. It is mounted read-only. */
export const programsPath = "/etc/mlflow/python";

const unpacked = `zlib.decompress(base64.b64decode(os.environ.pop("${programVariable}"))).decode()`;

const run = [
  "import base64, json, os, sys, types, zlib",
  `program, modules = json.loads(${unpacked})`,
  "for name, text in modules.items():",
  "    sys.modules[name] = types.ModuleType(name)",
  '    exec(compile(text, f"<{name}>", "exec"), sys.modules[name].__dict__)',
  'exec(compile(program, "<program>", "exec"))',
  "",
].join("\n");

const install = [
  "import base64, json, os, pathlib, sys, zlib",
  `files = json.loads(${unpacked})`,
  "files.update(zip(sys.argv[1::2], sys.argv[2::2]))",
  "for name, text in files.items():",
  `    path = pathlib.Path("${programsPath}", name)`,
  "    path.parent.mkdir(parents=True, exist_ok=True)",
  '    path.write_text(text, encoding="utf-8")',
  "",
].join("\n");

/** A program of one file, and modules that it imports by name, in an order in which each imports only earlier ones. */
export interface Program {
  readonly text: string;
  readonly modules: Readonly<Record<string, string>>;
}

/** Returns the command that runs a program with its modules, and otherwise with packages of the image only. */
export function program({ text, modules }: Program): { command: string[]; variable: V1EnvVar } {
  const variable = literal(programVariable, packed(JSON.stringify([text, modules])));
  return { command: ["python", "-I", "-c", run], variable };
}

/** Programs by path, and their settings files, uncompressed. */
export interface Programs {
  readonly programs: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, string>>;
}

/** The volume with installed programs, for the containers that import them. */
export const installedPrograms: Mounted = {
  volume: { name: "programs", emptyDir: { sizeLimit: "16Mi" } },
  mounts: [{ name: "programs", mountPath: programsPath, readOnly: true }],
};

/** Returns the init container that writes programs of several files to their volume. */
export function programInstallation(
  { image, pod }: ServerModel,
  { programs, settings = {} }: Programs,
): MountedContainer {
  const { volume, mounts } = installedPrograms;
  const args = Object.entries(settings).flatMap(([path, text]) => [path, escaped(text)]);
  const container: V1Container = {
    name: "programs",
    image: image.name,
    imagePullPolicy: image.pullPolicy,
    workingDir: "/",
    command: ["python", "-I", "-S", "-c", install],
    ...(args.length > 0 && { args }),
    env: [literal(programVariable, packed(JSON.stringify(programs)))],
    resources: pod.resources.setup,
    securityContext: containerSecurityContext,
  };
  return { container, mounted: [{ volume, mounts: mounts.map(({ name, mountPath }) => ({ name, mountPath })) }] };
}

const packedTexts = new Map<string, string>();

/** Compresses a text once: all servers with an authentication method share it. */
function packed(text: string): string {
  const known = packedTexts.get(text);
  if (known !== undefined) return known;
  const made = deflateSync(text, { level: 9 }).toString("base64");
  packedTexts.set(text, made);
  return made;
}
