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
    "the kinds are MlflowServer, MlflowWorkspaceAccess, MlflowBackup and MlflowBackupSchedule",
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
    "must be a list, and is an object: write a list, such as env: [{name: HTTPS_PROXY",
  ),
  wrong(
    "an item without a dash",
    "  replicas: 1",
    "  server:\n    env: { name: A, value: b }",
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
    "neither database nor credentialsSecretRef.databaseKey is set: write database: mlflow",
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
    "must contain no user name, password or @: credentials belong in a Secret",
    "hunter2",
  ),
  wrong(
    "a password in a URL",
    "https://dex.example.com/dex",
    "https://ada:hunter2@dex.example.com/dex",
    18,
    "must contain no user name, password or @: credentials belong in a Secret",
    "hunter2",
  ),
  wrong(
    "a password in an endpoint",
    bucket,
    `${bucket}\n      endpointURL: https://ada:hunter2@minio`,
    16,
    "must contain no user name, password or @: credentials belong in a Secret",
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
  // Units and quotes
  wrong(
    "an amount in MB",
    "  replicas: 1",
    "  replicas: 1\n  pod: { resources: { limits: { memory: 512MB } } }",
    8,
    'Invalid value: "512MB": did you mean 512M or 512Mi?',
  ),
  wrong(
    "a unit in lower case",
    "  replicas: 1",
    "  replicas: 1\n  pod: { resources: { limits: { memory: 2gi } } }",
    8,
    'Invalid value: "2gi": did you mean 2Gi?',
  ),
  wrong(
    "a unit that does not exist",
    "  replicas: 1",
    "  replicas: 1\n  pod: { resources: { requests: { cpu: 2 cores } } }",
    8,
    'Invalid value: "2 cores": write cpu as in the example: 500m, 2 or 1Gi',
  ),
  wrong(
    "a fraction of a CPU without quotes",
    "  replicas: 1",
    "  replicas: 1\n  pod: { resources: { requests: { cpu: 0.5 } } }",
    8,
    'must be an integer or a string, and is 0.5: put it in quotes: cpu: "0.5"',
  ),
  wrong(
    "a size in GB",
    "    s3:\n      bucket: models\n",
    "    persistentVolume: { size: 20GB }\n",
    14,
    "such as 500Mi or 10Gi: did you mean 20G or 20Gi?",
  ),
  wrong(
    "a size without a unit",
    "    s3:\n      bucket: models\n",
    "    persistentVolume: { size: 20 }\n",
    14,
    "must be a string, and is 20: add the unit: size: 20Gi",
  ),
  wrong(
    "a duration without a unit",
    method,
    "    basic: { passwordCacheTTL: 60 }\n",
    17,
    "must be a string, and is 60: add the unit: passwordCacheTTL: 60s",
  ),
  wrong(
    "a duration in days",
    method,
    `${method}      session: { expire: 7d }\n`,
    22,
    'Invalid value: "7d": must be a duration such as 90s, 30m or 1h30m',
  ),
  wrong(
    "a word as number",
    "replicas: 1",
    "replicas: two",
    7,
    "must be an integer, and is two: write an integer, such as replicas: 1",
  ),
  wrong(
    "a number below its minimum",
    "replicas: 1",
    "replicas: -1",
    7,
    "greater than or equal to 0: write an integer from 0 to 100",
  ),
  wrong(
    "a port above its maximum",
    "host: db.example.com\n",
    "host: db.example.com\n      port: 543200\n",
    11,
    "less than or equal to 65535: write an integer from 1 to 65535",
  ),
  wrong(
    "an annotation without quotes",
    "  name: mlflow\n",
    "  name: mlflow\n  annotations: { mlflow-operator.dev/paused: true }\n",
    5,
    'must be text: put the value in quotes: mlflow-operator.dev/paused: "true"',
  ),
  wrong(
    "a number with a sign of percent",
    "  replicas: 1",
    "  autoscaling: { maxReplicas: 2, targetCPUUtilization: 80% }",
    7,
    "must be an integer, and is 80%: write only the number: targetCPUUtilization: 80",
  ),
  wrong(
    "false in quotes",
    "  replicas: 1",
    '  hibernate: "false"',
    7,
    "must be true or false, and is false in quotes: remove the quotes: hibernate: false",
  ),
  wrong("an empty host", host, 'host: ""', 10, "at least 1 chars long: write host: db.example.com"),
  wrong("a bucket in upper case", bucket, "bucket: Models_1", 15, "lower case letters, digits, - and ."),
  wrong(
    "neither a host nor its key",
    `      ${host}\n`,
    "",
    9,
    "neither host nor credentialsSecretRef.hostKey is set: write host: db.example.com",
  ),
  wrong(
    "a URI of a database with a password",
    host,
    "uri: postgresql://ada:hunter2@db/mlflow",
    10,
    "use spec.backendStore.uriSecretRef: {name: …, key: …}",
    "hunter2",
  ),
  // Alternatives
  wrong(
    "two stores",
    "      bucket: models\n",
    "      bucket: models\n    persistentVolume: {}\n",
    13,
    "spec.artifactStore: Invalid value: persistentVolume and s3 are set: keep one of them, and remove the others",
  ),
  wrong(
    "two databases",
    "    postgresql:\n",
    "    sqlite: {}\n    postgresql:\n",
    8,
    "sqlite and postgresql are set: keep one of them",
  ),
  wrong(
    "two authentication methods",
    method,
    `${method}    basic: {}\n`,
    16,
    "basic and oauth2Proxy are set: keep one of them",
  ),
  wrong(
    "a name and a reference",
    "      bucket: models\n",
    "      bucket: models\n      bucketRef: { configMapRef: { name: a } }\n",
    14,
    "bucket and bucketRef are set: keep one of them",
  ),
  wrong("a method without a value", method, "    none:\n", 16, "none has no value, so it is absent: write none: {}"),
  wrong(
    "a type next to the method",
    method,
    "    kubernetes: {}\n    type: basic\n",
    18,
    "name the method as a field instead",
  ),
  // Nesting
  wrong(
    "the name of a method as text",
    `  authentication:\n${method}`,
    "  authentication: basic\n",
    16,
    "must be an object, and is basic: write authentication: {basic: {}}",
  ),
  wrong(
    "the name of a method with fields as text",
    `  authentication:\n${method}`,
    "  authentication: OAuth2Proxy\n",
    16,
    "write authentication: {oauth2Proxy: {issuerURL: …, clientID: …, authorization: …}}",
  ),
  wrong(
    "a method that is not indented",
    `  authentication:\n${method}`,
    "  authentication:\n  basic: {}\n",
    17,
    'unknown field "spec.basic": use spec.authentication.basic',
  ),
  wrong(
    "a location for a store",
    "  artifactStore:\n    s3:\n      bucket: models\n",
    "  artifactStore: s3://models\n",
    13,
    "such as artifactStore: {persistentVolume: {}}",
  ),
  wrong(
    "a URI with a password for a database",
    "    postgresql:\n      host: db.example.com\n      database: mlflow\n      credentialsSecretRef: { name: mlflow-db }\n",
    "    uriSecretRef: postgresql://mlflow:hunter2@db/mlflow\n",
    9,
    "write uriSecretRef: {name: <name of the Secret>, key: <key>}",
    "hunter2",
  ),
  wrong(
    "hosts as text",
    "  replicas: 1",
    "  replicas: 1\n  exposure: { ingress: { hosts: [mlflow.example.com] } }",
    8,
    "write an object with the fields host, paths, such as {host: mlflow.example.com}",
  ),
  wrong(
    "true for certificates",
    "  replicas: 1",
    "  replicas: 1\n  exposure: { externalURL: https://a.example.com, ingress: { tls: true } }",
    8,
    "must be a list, and is true: write a list, such as tls: [{secretName: mlflow-tls}]",
  ),
  wrong(
    "the name of a Gateway for a list of Gateways",
    "  replicas: 1",
    "  replicas: 1\n  exposure: { externalURL: https://a.example.com, httpRoute: { parentRefs: platform } }",
    8,
    "write a list, such as parentRefs: [{name: platform, namespace: gateways}]",
  ),
  wrong(
    "names of Secrets as text",
    "  replicas: 1",
    "  replicas: 1\n  image: { pullSecrets: [registry] }",
    8,
    "write {name: <name of the Secret>}",
  ),
  wrong(
    "an image as text",
    "  replicas: 1",
    "  replicas: 1\n  image: registry.example.com/mlflow",
    8,
    "such as image: {repository: registry.example.com/team/mlflow}",
  ),
  wrong(
    "arguments as an object",
    "  replicas: 1",
    "  replicas: 1\n  server: { extraArgs: { workers: 4 } }",
    8,
    "write a list, such as extraArgs: [--secrets-cache-ttl=120]",
  ),
  wrong(
    "false for an object with a switch",
    "  replicas: 1",
    "  replicas: 1\n  networkPolicy: false",
    8,
    "write networkPolicy: {enabled: false}",
  ),
  wrong(
    "a name in another form for a reference",
    "serverRef: { namespace: mlflow, name: tracking }",
    "serverRef: mlflow/tracking",
    5,
    "such as serverRef: {namespace: mlflow, name: tracking}",
  ),
  wrong(
    "names as subjects",
    "subjects: [{ kind: User, name: ada@example.com }]",
    "subjects: [ada@example.com]",
    7,
    "such as {kind: Group, name: data-science}",
  ),
  // References
  wrong(
    "secretName in a reference",
    "{ name: mlflow-db }",
    "{ secretName: mlflow-db }",
    12,
    'credentialsSecretRef.secretName": use name',
  ),
  wrong(
    "a reference without a name",
    "{ name: mlflow-db }",
    "{}",
    12,
    "write name, such as credentialsSecretRef: {name: mlflow-db}",
  ),
  wrong(
    "a Secret of another namespace",
    "{ name: mlflow-db }",
    "{ name: mlflow-db, namespace: vault }",
    12,
    "leave it out: the object must be in the namespace of the server",
  ),
  wrong(
    "a reference in a reference",
    "{ name: mlflow-db }",
    "{ secretKeyRef: { name: mlflow-db } }",
    12,
    "write its fields directly below, such as {name: …}",
  ),
  wrong(
    "a reference without a key",
    method,
    `${method}      clientSecretRef: { name: sso }\n`,
    22,
    "write key, such as clientSecretRef: {name: mlflow-client, key: client-secret}",
  ),
  // Fields of other objects
  wrong(
    "a field of other objects: serviceAccountName",
    "  replicas: 1",
    "  replicas: 1\n  serviceAccountName: a",
    8,
    "leave it out: the operator creates the ServiceAccount",
  ),
  wrong(
    "a field of other objects: serviceAccount.name",
    "  replicas: 1",
    "  replicas: 1\n  serviceAccount: { name: a }",
    8,
    "leave it out: the operator creates the ServiceAccount",
  ),
  wrong(
    "a field of other objects: pod.securityContext",
    "  replicas: 1",
    "  replicas: 1\n  pod: { securityContext: {} }",
    8,
    "the pods always run under the Pod Security standard restricted",
  ),
  wrong(
    "a field of other objects: pod.volumes",
    "  replicas: 1",
    "  replicas: 1\n  pod: { volumes: [] }",
    8,
    "further containers and volumes are not supported",
  ),
  wrong(
    "a field of other objects: networkPolicy.ingress",
    "  replicas: 1",
    "  replicas: 1\n  networkPolicy: { ingress: [] }",
    8,
    "use spec.networkPolicy.from: [{podSelector: {}}]",
  ),
  wrong(
    "a field of other objects: podDisruptionBudget.minAvailable",
    "  replicas: 1",
    "  replicas: 1\n  podDisruptionBudget: { minAvailable: 1 }",
    8,
    "write enabled: false",
  ),
  wrong(
    "a field of other objects: exposure.gateway",
    "  replicas: 1",
    "  replicas: 1\n  exposure: { externalURL: https://a.example.com, gateway: a }",
    8,
    "use spec.exposure.httpRoute: {parentRefs: [{name: …}]}",
  ),
  wrong(
    "a key of S3 in another case",
    "bucket: models",
    "bucket: models\n      accessKeyID: hunter2",
    16,
    "use spec.artifactStore.s3.credentialsSecretRef: {name: …}",
    "hunter2",
  ),
  wrong("another name of a method", method, "    oauth: {}\n", 17, "use spec.authentication.oauth2Proxy"),
  wrong(
    "another name of the server in a grant",
    "serverRef: { namespace: mlflow, name: tracking }",
    "server: tracking",
    5,
    "use spec.serverRef: {namespace: …, name: …}",
  ),
  wrong(
    "users in a grant",
    "subjects: [{ kind: User, name: ada@example.com }]",
    "users: [ada@example.com]",
    7,
    "use spec.subjects: [{kind: Group, name: …}]",
  ),
  wrong(
    "a roleRef in a grant",
    "role: Viewer",
    "roleRef: { name: view }",
    6,
    "use spec.role: Viewer, Editor, Admin or TraceWriter",
  ),
  // Metadata
  wrong(
    "a number as name",
    "  name: mlflow\n",
    "  name: 3\n",
    4,
    'metadata.name: must be text: put the value in quotes: name: "3"',
  ),
  wrong(
    "a namespace in upper case",
    "  name: mlflow\n",
    "  name: mlflow\n  namespace: Team_A\n",
    5,
    "metadata.namespace: must be the name of a namespace: lower case letters, digits and -",
  ),
  wrong(
    "a list of labels",
    "  name: mlflow\n",
    "  name: mlflow\n  labels: [a]\n",
    5,
    "metadata.labels: must be an object, such as {team: research}",
  ),
  wrong(
    "a misspelled field of metadata",
    "  name: mlflow\n",
    "  name: mlflow\n  anotations: { a: b }\n",
    5,
    'unknown field "metadata.anotations": did you mean metadata.annotations?',
  ),
  // Syntax
  wrong("a tab", "  replicas: 1", "\treplicas: 1", 7, "indent with spaces"),
  wrong("no colon", "replicas: 1", "replicas 1", 8, "write name: value, with a colon and a space"),
  wrong("no space", "replicas: 1", "replicas:1", 8, "write name: value, with a colon and a space"),
  wrong(
    "another indentation",
    "  replicas: 1",
    "   replicas: 1",
    7,
    "begin the fields of an object in the same column",
  ),
  wrong("an open quote", version, 'version: "3.17.2', 7, "close the quotes"),
  wrong(
    "another template language",
    "replicas: 1",
    "replicas: {% a %} {% b %}",
    7,
    "put quotes around a value that begins with { or [",
  ),
  wrong(
    "a field twice",
    "  replicas: 1",
    "  replicas: 1\n  replicas: 2",
    8,
    "cannot be parsed as YAML: duplicated mapping key: remove one of the two fields",
  ),
];
