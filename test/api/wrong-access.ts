import { type Json, smallest } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const small = wrong(smallest);
const grant = "spec.access[0]";
const toGrace = { permission: "EDIT", subjects: [{ kind: "User", name: "grace" }] };
const only = (given: Json) => ({ "spec.authentication": { basic: {} }, "spec.access": [given] });
const access = (more: { [name: string]: Json }) => only({ ...toGrace, experiments: ["team-a/*"], ...more });
const ldap = () => ({
  ldap: {
    url: "ldaps://ldap.example.com/dc=example,dc=com",
    userBind: "uid=%s,dc=example,dc=com",
    groups: {
      filter: "(member=%s)",
      user: "cn=mlflow,dc=example,dc=com",
      admin: "cn=admins,dc=example,dc=com",
    },
  },
});
const group = { subjects: [{ kind: "Group", name: "team-a" }] };

/** Wrong grants of spec.access. */
export const wrongAccess: readonly Wrong[] = [
  small("a permission of Kubernetes' roles", access({ permission: "Editor" }), `${grant}.permission`, "EDIT"),
  small("a grant to no one", access({ subjects: [] }), `${grant}.subjects`, "at least 1"),
  small("a grant on nothing", only(toGrace), grant, "grants nothing"),
  small("no patterns", access({ experiments: [] }), `${grant}.experiments`, "at least 1"),
  ...["team-**", "team-?", "team-[ab]", "^team", "team$", " team", "team ", "a\\b", "a\nb"].map((pattern) =>
    small(
      `the pattern ${JSON.stringify(pattern)}`,
      access({ experiments: [pattern] }),
      `${grant}.experiments[0]`,
      "without other wildcards than *",
    ),
  ),
  small(
    "a model's name with a slash",
    access({ registeredModels: ["team-a/*"] }),
    `${grant}.registeredModels[0]`,
    "without / and :",
  ),
  small(
    "a ServiceAccount",
    access({ subjects: [{ kind: "ServiceAccount", name: "a" }] }),
    `${grant}.subjects[0].kind`,
    "User",
  ),
  small("a group with basic authentication", access(group), "spec.access", "have no groups"),
  small(
    "a group of the directory by another name than its DN",
    { ...access(group), "spec.authentication": ldap() },
    "spec.access",
    "compared by DN",
  ),
  small(
    "grants where Kubernetes authorizes",
    { ...access({}), "spec.authentication": { kubernetes: {} } },
    "spec.access",
    "RoleBindings",
  ),
];
