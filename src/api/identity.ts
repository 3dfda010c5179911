import { type OwnKind, ownKinds } from "../kube/kinds.ts";
import { apiVersion } from "./server.ts";
import { mostSimilar } from "./similar.ts";
import { isObject } from "./structure.ts";

const listedKinds = `${ownKinds.slice(0, -1).join(", ")} and ${ownKinds.at(-1)}`;

/** The kind that a document has or should have, with the problems of its apiVersion and kind. */
export interface Identity {
  readonly kind: OwnKind;
  readonly problems: readonly { readonly field: string; readonly text: string }[];
}

/** The identity of a document of this operator; `other` for documents of other kinds; a message if neither can be determined. */
export function identityOf(document: unknown): Identity | "other" | { readonly problem: string } {
  if (!isObject(document)) return "other";
  const { apiVersion: version, kind } = document;
  const isOwnGroup = typeof version === "string" && version.split("/")[0] === apiVersion.split("/")[0];
  if (kind === undefined && version === undefined) return unidentified(document);
  if (kind === undefined && isOwnGroup)
    return {
      kind: likelyKind(document),
      problems: [{ field: "kind", text: `kind: Required value: write kind: ${likelyKind(document)}` }],
    };
  if (typeof kind !== "string") return "other";
  const own = ownKinds.find((each) => each === kind);
  const likely = own ?? mostSimilar(kind.replace(/s$/, ""), ownKinds);
  if (likely === undefined || (own === undefined && !isOwnGroup && kind.toLowerCase() !== likely.toLowerCase())) {
    if (!isOwnGroup) return "other";
    return { problem: `kind: ${kind} is unknown in ${version}: the kinds are ${listedKinds}` };
  }
  const kindProblem =
    own === undefined ? [{ field: "kind", text: `kind: ${kind} is unknown: write kind: ${likely}` }] : [];
  const versionProblem =
    version === apiVersion
      ? []
      : [
          {
            field: "apiVersion",
            text: `apiVersion: must be ${apiVersion}${typeof version === "string" ? `, and is ${version}` : ""}: write apiVersion: ${apiVersion}`,
          },
        ];
  return { kind: likely, problems: [...versionProblem, ...kindProblem] };
}

function likelyKind({ spec }: Record<string, unknown>): OwnKind {
  if (!isObject(spec) || !("serverRef" in spec)) return "MlflowServer";
  if ("schedule" in spec && typeof spec["schedule"] === "string") return "MlflowBackupSchedule";
  return "destination" in spec ? "MlflowBackup" : "MlflowWorkspaceAccess";
}

/** A document with neither: a spec that begins with its fields, or values of a Helm chart. */
function unidentified(document: Record<string, unknown>): "other" | { readonly problem: string } {
  const isSpec = ["backendStore", "artifactStore", "artifactRoot", "authentication", "ldapAuth"].filter(
    (name) => name in document,
  );
  const { spec } = document;
  if (isObject(spec) && ("backendStore" in spec || "serverRef" in spec))
    return {
      problem: `apiVersion and kind are missing: write apiVersion: ${apiVersion} and kind: ${likelyKind(document)}`,
    };
  if (isSpec.length < 2) return "other";
  return {
    problem: `apiVersion and kind are missing, and ${isSpec.join(", ")} are at the top: these are values of a Helm chart or a spec without its object. docs/migrating-from-helm.md maps values to fields`,
  };
}
