/** A valid manifest, to which each wrong one makes one change. */
const manifest = `apiVersion: mlflow-operator.dev/v1alpha1
kind: MlflowServer
metadata:
  name: mlflow
spec:
  version: "3.17.2"
  replicas: 1
  backendStore:
    postgresql:
      host: db.example.com
      database: mlflow
      credentialsSecretRef: { name: mlflow-db }
  artifactStore:
    s3:
      bucket: models
  authentication:
    oauth2Proxy:
      issuerURL: https://dex.example.com/dex
      clientID: mlflow
      authorization:
        allAuthenticatedUsers: {}
`;

const grant = `apiVersion: mlflow-operator.dev/v1alpha1
kind: MlflowWorkspaceAccess
metadata: { name: guests, namespace: team-a }
spec:
  serverRef: { namespace: mlflow, name: tracking }
  role: Viewer
  subjects: [{ kind: User, name: ada@example.com }]
`;

/** A manifest with a mistake, and the line and the end of the message that `validate` prints for it. */
export interface WrongManifest {
  readonly mistake: string;
  readonly text: string;
  readonly line: number;
  readonly says: string;
  /** Text that must not be printed. */
  readonly secret?: string;
}

function wrong(
  mistake: string,
  before: string,
  after: string,
  line: number,
  says: string,
  secret?: string,
): WrongManifest {
  const base = manifest.includes(before) ? manifest : grant;
  if (!base.includes(before)) throw new Error(`${mistake}: not in the manifest`);
  return { mistake, text: base.replace(before, after), line, says, ...(secret !== undefined && { secret }) };
}

const version = 'version: "3.17.2"';
const host = "host: db.example.com";
const bucket = "bucket: models";
const method = `    oauth2Proxy:
      issuerURL: https://dex.example.com/dex
      clientID: mlflow
      authorization:
        allAuthenticatedUsers: {}
`;

export const wrongManifests: readonly WrongManifest[] = [
  // Identity
  wrong(
    "a kind in other letters",
    "kind: MlflowServer",
    "kind: MLflowServer",
    2,
    "kind: MLflowServer is unknown: write kind: MlflowServer",
  ),
  wrong("a plural as kind", "kind: MlflowServer", "kind: MlflowServers", 2, "write kind: MlflowServer"),
  wrong(
    "a misspelled kind",
    "kind: MlflowWorkspaceAccess",
    "kind: MlflowWorkspaceAcess",
    2,
    "write kind: MlflowWorkspaceAccess",
  ),
  wrong(
    "a kind that the group does not have",
    "kind: MlflowServer",
    "kind: Tracking",
    1,
    "the kinds are MlflowServer and MlflowWorkspaceAccess",
  ),
  wrong("no kind", "kind: MlflowServer\n", "", 1, "kind: Required value: write kind: MlflowServer"),
  wrong(
    "neither apiVersion nor kind",
    "apiVersion: mlflow-operator.dev/v1alpha1\nkind: MlflowServer\n",
    "",
    1,
    "write apiVersion: mlflow-operator.dev/v1alpha1 and kind: MlflowServer",
  ),
  wrong(
    "another version of the API",
    "mlflow-operator.dev/v1alpha1",
    "mlflow-operator.dev/v1",
    1,
    "apiVersion: must be mlflow-operator.dev/v1alpha1, and is mlflow-operator.dev/v1: write apiVersion: mlflow-operator.dev/v1alpha1",
  ),
  wrong(
    "an apiVersion without its group",
    "mlflow-operator.dev/v1alpha1",
    "v1alpha1",
    1,
    "write apiVersion: mlflow-operator.dev/v1alpha1",
  ),
  wrong("no name", "  name: mlflow\n", "  labels: {}\n", 3, "metadata.name: Required value: name the server"),
  wrong(
    "a number as label",
    "  name: mlflow\n",
    "  name: mlflow\n  labels: { release: 3 }\n",
    5,
    'put the value in quotes: release: "3"',
  ),
  {
    mistake: "values of a Helm chart",
    text: "backendStore:\n  postgres:\n    host: db\nartifactRoot:\n  s3:\n    bucket: models\n",
    line: 1,
    says: "values of a Helm chart or a spec without its object. docs/migrating-from-helm.md maps values to fields",
  },
  // Templates
  wrong(
    "a Helm template as a value",
    "name: mlflow\n",
    "name: {{ .Release.Name }}\n",
    4,
    "this is a Helm template that is not rendered ({{ .Release.Name }}): use the output of helm template",
  ),
  wrong(
    "a Helm template in quotes",
    version,
    'version: "{{ .Values.version }}"',
    6,
    "this is a Helm template that is not rendered ({{ .Values.version }}): use the output of helm template",
  ),
  wrong(
    "a Helm condition",
    "  replicas: 1",
    "  {{- if .Values.ha }}\n  replicas: 2\n  {{- end }}",
    7,
    "use the output of helm template",
  ),
  // Types
  wrong(
    "a version as a number",
    version,
    "version: 3.17",
    6,
    'spec.version: must be a string, and is 3.17: put it in quotes: version: "3.17.2"',
  ),
  wrong(
    "a port in quotes",
    host,
    `${host}\n      port: "5432"`,
    11,
    "must be an integer, and is 5432 in quotes: remove the quotes: port: 5432",
  ),
  wrong("a fraction", "replicas: 1", "replicas: 1.5", 7, "must be an integer, and is 1.5: write an integer"),
  wrong(
    "yes in quotes",
    "  replicas: 1",
    '  hibernate: "yes"',
    7,
    "must be true or false, and is yes: write hibernate: true, without quotes",
  ),
  wrong(
    "yes as text",
    "  replicas: 1",
    "  server: { env: [{ name: A, value: yes }] }",
    7,
    'must be a string, and is yes: put it in quotes: value: "yes"',
  ),
  wrong(
    "one value for a list",
    "  replicas: 1",
    "  server: { allowedHosts: a.example.com }",
    7,
    "must be a list, and is a.example.com: write allowedHosts: [a.example.com]",
  ),
  wrong(
    "a map for a list",
    "  replicas: 1",
    "  server:\n    env: { A: b }",
    8,
    'must be a list, and is an object: put "- " before its first field',
  ),
  wrong(
    "a list for an object",
    "{ name: mlflow-db }",
    "[{ name: mlflow-db }]",
    12,
    'must be an object, and is a list: write its fields without "- ": name',
  ),
  wrong("true for an object", method, "    basic: true\n", 17, "must be an object, and is true: write basic: {}"),
  wrong(
    "a secret in place of a reference",
    "{ name: mlflow-db }",
    "hunter2",
    12,
    "must be an object, and is a single value: write credentialsSecretRef: {name: <name of the Secret>}",
    "hunter2",
  ),
  // Values
  wrong(
    "another case",
    "  replicas: 1",
    "  deletionPolicy: retain",
    7,
    'supported values: "Retain", "Delete": did you mean Retain?',
  ),
  wrong("an underscore", host, `${host}\n      sslMode: verify_full`, 11, "did you mean verify-full?"),
  wrong("a role that does not exist", "role: Viewer", "role: Viewers", 6, "did you mean Viewer?"),
  wrong(
    "a scheme in a host",
    host,
    "host: postgresql://db.example.com",
    10,
    "host is a name or an address only: leave out the scheme, user, brackets and port (use port)",
  ),
  // Missing fields
  wrong("no authentication method", `  authentication:\n${method}`, "", 5, "write basic: {} for users with passwords"),
  wrong(
    "no bucket",
    bucket,
    "prefix: a",
    14,
    "spec.artifactStore.s3: Invalid value: set exactly one of bucket, bucketRef: write the name of the bucket",
  ),
  wrong(
    "no name of the database",
    "      database: mlflow\n",
    "",
    9,
    "set database or credentialsSecretRef.databaseKey",
  ),
  // Names of fields
  wrong(
    "a field of Helm charts: replicaCount",
    "replicas: 1",
    "replicaCount: 1",
    7,
    'unknown field "spec.replicaCount": use spec.replicas',
  ),
  wrong(
    "a field of Helm charts: image.name",
    "  replicas: 1",
    "  image: { name: mlflow }",
    7,
    "use spec.image.repository",
  ),
  wrong(
    "a field of Helm charts: extraEnvVars",
    "  replicas: 1",
    "  extraEnvVars: { A: b }",
    7,
    "use spec.server.env: [{name: …, value: …}]",
  ),
  wrong("a field of Helm charts: ldapAuth", "  replicas: 1", "  ldapAuth: {}", 7, "use spec.authentication.ldap"),
  wrong("a field of Helm charts: artifactRoot", "  replicas: 1", "  artifactRoot: {}", 7, "use spec.artifactStore"),
  wrong(
    "a field of Helm charts: hpa",
    "  replicas: 1",
    "  hpa: {}",
    7,
    "use spec.autoscaling: {minReplicas: …, maxReplicas: …}",
  ),
  wrong(
    "fields of Helm charts: autoscaling.enabled",
    "  replicas: 1",
    "  autoscaling: { enabled: true, maxReplicas: 2 }",
    7,
    "leave it out: spec.autoscaling with maxReplicas enables it",
  ),
  wrong(
    "fields of Helm charts: autoscaling.targetCPUUtilizationPercentage",
    "  replicas: 1",
    "  autoscaling: { maxReplicas: 2, targetCPUUtilizationPercentage: 70 }",
    7,
    "use spec.autoscaling.targetCPUUtilization, a number in percent",
  ),
  wrong("a field of Helm charts: ingress", "  replicas: 1", "  ingress: {}", 7, "use spec.exposure"),
  wrong("postgres", "postgresql:", "postgres:", 9, "use spec.backendStore.postgresql"),
  wrong(
    "a user name next to the host",
    host,
    `${host}\n      username: mlflow`,
    11,
    "use credentialsSecretRef: {name: …} next to it: the user name and the password are in a Secret only",
  ),
  wrong(
    "a password next to the host",
    host,
    `${host}\n      password: hunter2`,
    11,
    "use credentialsSecretRef",
    "hunter2",
  ),
  wrong(
    "a field in another case",
    "issuerURL",
    "issuerUrl",
    18,
    "did you mean spec.authentication.oauth2Proxy.issuerURL?",
  ),
  wrong("a misspelled field", "replicas: 1", "repliacs: 1", 7, "did you mean spec.replicas?"),
  wrong(
    "a field at the wrong place",
    "  replicas: 1",
    "  nodeSelector: { a: b }",
    7,
    "did you mean spec.pod.nodeSelector?",
  ),
  wrong(
    "a field next to spec",
    "spec:\n  version",
    "replicas: 2\nspec:\n  version",
    5,
    'unknown field "replicas": did you mean spec.replicas',
  ),
  wrong(
    "a field that no object has",
    "  replicas: 1",
    "  mesh: { istio: { mode: Ambient }, flavour: x }",
    7,
    "leave it out. The fields of spec.mesh are istio",
  ),
  // Passwords
  wrong(
    "a password in a host",
    host,
    "host: admin:hunter2@db.example.com",
    10,
    "must contain no user name, no password and no @: remove them; credentials belong in a Secret",
    "hunter2",
  ),
  wrong(
    "a password in a URL",
    "https://dex.example.com/dex",
    "https://ada:hunter2@dex.example.com/dex",
    18,
    "must contain no user name, no password and no @: remove them; credentials belong in a Secret",
    "hunter2",
  ),
  wrong(
    "a password in an endpoint",
    bucket,
    `${bucket}\n      endpointURL: https://ada:hunter2@minio`,
    16,
    "must contain no user name, no password and no @: remove them; credentials belong in a Secret",
    "hunter2",
  ),
  wrong(
    "a password with a slash in a URL of LDAP",
    method,
    "    ldap:\n      url: ldaps://cn=a:hun/ter2@ldap.example.com\n      userBind: uid=%s,dc=x\n      groups: { filter: (member=%s), admin: cn=a, user: cn=b }\n",
    18,
    "must be ldaps:// or ldap:// with a host",
    "ter2",
  ),
  // Syntax
  wrong("a tab", "  replicas: 1", "\treplicas: 1", 7, "cannot be parsed as YAML"),
  wrong(
    "a field twice",
    "  replicas: 1",
    "  replicas: 1\n  replicas: 2",
    8,
    "cannot be parsed as YAML: duplicated mapping key",
  ),
];
