import type { MlflowServer } from "../src/api/server.ts";
import type { Owned } from "../src/kube/manifests.ts";
import { label } from "../src/kube/names.ts";
import { objectText } from "../src/kube/object.ts";

/** Returns the servers with their objects as lines for a terminal. */
export function tree(servers: readonly MlflowServer[], owned: readonly Owned[]): string[] {
  return servers.flatMap((server) => {
    const conditions = server.status?.conditions ?? [];
    const ready = conditions.find((condition) => condition.type === "Ready");
    const states = conditions.map(({ type, status }) => `${type}=${status}`).join(" ");
    const own = owned.filter((object) => object.metadata.labels?.[label.server] === server.metadata.name);
    return [
      `${objectText(server)}  ${states || "not observed by the operator yet"}`,
      ...(ready === undefined ? [] : [`│   ${ready.reason}: ${ready.message}`]),
      ...own.map((object, index) =>
        `${index === own.length - 1 ? "└──" : "├──"} ${objectText(object)}  ${stateOf(object)}`.trimEnd(),
      ),
    ];
  });
}

function stateOf(object: Owned): string {
  switch (object.kind) {
    case "Deployment":
      return `${object.status?.readyReplicas ?? 0}/${object.spec.replicas ?? 1} ready`;
    case "Job":
      return object.status?.conditions?.find(isEnd)?.type ?? "running";
    case "Pod":
      return object.status?.phase ?? "";
    case "PersistentVolumeClaim":
      return `${object.status?.phase ?? ""} ${object.spec.resources?.requests?.["storage"] ?? ""}`;
    case "Secret":
    case "ConfigMap":
      return `keys: ${Object.keys(object.data ?? {}).join(", ")}`;
    case "Service":
      return `port ${object.spec.ports?.[0]?.port ?? ""}`;
    default:
      return "";
  }
}

function isEnd({ type, status }: { readonly type: string; readonly status: string }): boolean {
  return status === "True" && (type === "Complete" || type === "Failed");
}
