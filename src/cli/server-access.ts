import type { AccessGrant } from "../api/fields/access.ts";
import type { MlflowServer } from "../api/server.ts";

/** Names of resources of a server, in which * stands for any text. */
export interface NamedResources {
  readonly experiments?: readonly string[];
  readonly registeredModels?: readonly string[];
}

/** A permission in MLflow of a user, a group, or all users, and the field that grants it. */
export interface PermissionRow {
  readonly subject: { readonly kind: "User" | "Group"; readonly name: string };
  readonly role: AccessGrant["permission"];
  readonly through: string;
  readonly resources: NamedResources;
}

/** How all users of a server are shown. */
const allUsers = { kind: "Group", name: "(all users of the server)" } as const;

/** The permissions of MlflowServers with `spec.access`: those of the grants, and that of users without one. */
export function permissionRows(servers: readonly MlflowServer[], namespace: string): PermissionRow[] {
  return servers
    .filter(({ metadata, spec }) => metadata.namespace === namespace && spec.access !== undefined)
    .flatMap(rowsOf);
}

function rowsOf({ metadata, spec: { access = [], authentication } }: MlflowServer): PermissionRow[] {
  const server = `MlflowServer ${metadata.namespace}/${metadata.name}`;
  const granted = access.flatMap(({ permission: role, subjects, experiments, registeredModels }, index) =>
    subjects.map((subject) => ({
      subject,
      role,
      through: `${server}, spec.access[${index}]`,
      resources: { ...(experiments && { experiments }), ...(registeredModels && { registeredModels }) },
    })),
  );
  const { basic, ldap, oidc } = authentication;
  const byDefault = (basic ?? ldap)?.defaultPermission ?? oidc?.defaultPermission ?? (oidc ? "NO_PERMISSIONS" : "READ");
  if (byDefault === "NO_PERMISSIONS") return granted;
  const through = `${server}, defaultPermission`;
  return [
    ...granted,
    { subject: allUsers, role: byDefault, through, resources: { experiments: ["*"], registeredModels: ["*"] } },
  ];
}

/** The permissions that allow a verb. Every user can create experiments and models, and then has MANAGE permission on them. */
const allowing: Readonly<Record<string, readonly PermissionRow["role"][]>> = {
  get: ["READ", "EDIT", "MANAGE"],
  list: ["READ", "EDIT", "MANAGE"],
  update: ["EDIT", "MANAGE"],
  delete: ["MANAGE"],
};

/** Whether a row allows a verb on resources of a kind; with a name, on the one of this name. */
export function isAllowed({ role, resources }: PermissionRow, verb: string, resource: string, name?: string): boolean {
  const { experiments, registeredModels } = resources;
  const patterns = { experiments, registeredmodels: registeredModels }[resource] ?? [];
  return (
    (allowing[verb]?.includes(role) ?? false) && patterns.some((each) => name === undefined || matches(each, name))
  );
}

/** Whether a name matches, as python/src/mlflow_operator/grants.py compares it: a regular expression of many stars takes too long. */
function matches(pattern: string, name: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return name === first;
  const end = name.length - last.length;
  if (end < first.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = name.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
