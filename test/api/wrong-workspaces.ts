import { proxied, smallest, vouched } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const small = wrong(smallest);
const full = wrong(proxied);
const named = wrong(vouched);
const kubernetes = "spec.authentication.oauth2Proxy.authorization.kubernetes";
const selector = "spec.workspaces.selector";
const grant = "spec.workspaces.access[0]";

/** Wrong settings of authorization by Kubernetes and of workspaces. */
export const wrongWorkspaces: readonly Wrong[] = [
  small(
    "SubjectAccessReview without oauth2-proxy",
    { "spec.authentication": { kubernetes: { accessReview: "SubjectAccessReview" } } },
    "",
    'unknown field "spec.authentication.kubernetes.accessReview"',
  ),
  named(
    "the access review subjectAccessReview",
    { [`${kubernetes}.accessReview`]: "subjectAccessReview" },
    `${kubernetes}.accessReview`,
    "SubjectAccessReview",
  ),
  named(
    "a claim with SelfSubjectAccessReview",
    { [`${kubernetes}.accessReview`]: "SelfSubjectAccessReview" },
    kubernetes,
    "leave them out",
  ),
  named("a claim without accessReview", { [`${kubernetes}.accessReview`]: undefined }, kubernetes, "leave them out"),
  named(
    "two claims",
    { [`${kubernetes}.groupsClaim`]: "groups,roles" },
    `${kubernetes}.groupsClaim`,
    "one token claim",
  ),
  named(
    "an empty claim",
    { [`${kubernetes}.usernameClaim`]: "" },
    `${kubernetes}.usernameClaim`,
    "the name of one token claim",
  ),
  ...["system:", "System:oidc:", "a b", "oidc*"].map((prefix) =>
    named(
      `the prefix ${prefix}`,
      { [`${kubernetes}.groupsPrefix`]: prefix },
      `${kubernetes}.groupsPrefix`,
      "such as 'oidc:'",
    ),
  ),
  ...["*", "a*b", "a**"].map((name) =>
    named(
      `the reserved name ${name}`,
      { [`${kubernetes}.reservedNames`]: [name] },
      `${kubernetes}.reservedNames[0]`,
      "such as kubeadm:*",
    ),
  ),
  small(
    "workspaces with MLflow's own users",
    { "spec.workspaces": {} },
    "spec.workspaces",
    "use authentication.kubernetes",
  ),
  ...["Team-A", "team_a", "team-a.example", "-a", ""].map((name) =>
    full(
      `the default workspace ${name}`,
      { "spec.workspaces.default": name },
      "spec.workspaces.default",
      "the name of a namespace",
    ),
  ),
  ...["kube-system", "openshift", "openshift-monitoring", "redhat-ods-applications"].map((name) =>
    full(
      `the default workspace ${name}`,
      { "spec.workspaces.default": name },
      "spec.workspaces.default",
      "excludes system namespaces",
    ),
  ),
  full(
    "another opt-in label",
    { [selector]: { matchLabels: { "mlflow-operator.dev/workspace-of": "team-b" } } },
    `${selector}.matchLabels`,
    "as value: leave it out",
  ),
  full("a selector that is a label", { [selector]: { team: "a" } }, "", "unknown field"),
  full(
    "a key with a space",
    { [selector]: { matchLabels: { "a b": "c" } } },
    `${selector}.matchLabels`,
    "keys must be label keys",
  ),
  full("no role", { [`${grant}.role`]: undefined }, `${grant}.role`, "write role: Viewer, Editor, Admin, TraceWriter"),
  full("an unknown role", { [`${grant}.role`]: "owner" }, `${grant}.role`, "supported values"),
  full("no subjects", { [`${grant}.subjects`]: undefined }, `${grant}.subjects`, "write the subjects of the role"),
  full(
    "no namespaces and no selector",
    { [`${grant}.namespaces`]: undefined },
    grant,
    "selector: {} for all workspaces of this server",
  ),
  full("no namespace", { [`${grant}.namespaces`]: [] }, `${grant}.namespaces`, "at least 1"),
  full("both namespaces and selector", { [`${grant}.selector`]: {} }, grant, "set exactly one of namespaces, selector"),
  full("an invalid namespace", { [`${grant}.namespaces[0]`]: "Team A" }, `${grant}.namespaces[0]`, "name of a namesp"),
  full(
    "all users",
    { [`${grant}.subjects[0].name`]: "system:authenticated" },
    `${grant}.subjects[0].name`,
    "write a narrower group",
  ),
  full(
    "a ServiceAccount without namespace",
    { [`${grant}.subjects[1].namespace`]: undefined },
    `${grant}.subjects[1].namespace`,
    "add namespace",
  ),
];
