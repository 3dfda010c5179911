/** Valid documents, and a function to change them, for the tests of validation. */

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
export type Document = { [name: string]: Json };

const head = { apiVersion: "mlflow-operator.dev/v1alpha1", kind: "MlflowServer" };

/** The smallest server: SQLite and artifacts on one volume, users with passwords. */
export const smallest: Document = {
  ...head,
  metadata: { name: "mlflow" },
  spec: {
    version: "3.17.2",
    backendStore: { sqlite: {} },
    artifactStore: { persistentVolume: {} },
    authentication: { basic: {} },
  },
};

/** Grants of users and groups. */
const granting: Document = {
  ...smallest,
  spec: {
    ...(smallest["spec"] as Document),
    authentication: {
      ldap: {
        url: "ldaps://ldap.example.com/dc=example,dc=com",
        userBind: "uid=%s,dc=example,dc=com",
        groups: { filter: "(member=%s)", user: "mlflow", admin: "admins", attribute: "cn" },
      },
    },
    access: [
      {
        permission: "EDIT",
        subjects: [
          { kind: "Group", name: "team-a" },
          { kind: "User", name: "grace" },
        ],
        experiments: ["team-a/*"],
        registeredModels: ["team-a-*"],
      },
    ],
  },
};

const selector = {
  matchLabels: { app: "db" },
  matchExpressions: [{ key: "tier", operator: "In", values: ["a", "b"] }],
};

const podTerm = {
  labelSelector: selector,
  namespaceSelector: selector,
  namespaces: ["team-a"],
  topologyKey: "kubernetes.io/hostname",
};

const nodeTerm = {
  matchExpressions: [{ key: "cpus", operator: "Gt", values: ["4"] }],
  matchFields: [{ key: "metadata.name", operator: "NotIn", values: ["node-1.example.com"] }],
};

const podTerms = {
  requiredDuringSchedulingIgnoredDuringExecution: [podTerm],
  preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: podTerm }],
};

/** Several pods with PostgreSQL and S3, and every field that is compatible with them. */
export const fullest: Document = {
  ...head,
  metadata: { name: "mlflow" },
  spec: {
    version: "3.17.2",
    image: {
      repository: "registry.example.com:5000/team/mlflow",
      tag: "3.17.2-1",
      digest: `sha256:${"0".repeat(64)}`,
      pullPolicy: "Always",
      pullSecrets: [{ name: "registry" }],
    },
    upgrade: {
      strategy: "Rolling",
      approval: "Manual",
      maintenanceWindow: { days: ["Sat"], startHour: 2, hours: 4 },
      backup: { scheduleRef: { name: "nightly" } },
    },
    deletionPolicy: "Delete",
    replicas: 3,
    hibernate: false,
    autoscaling: { minReplicas: 2, maxReplicas: 6, targetCPUUtilization: 60 },
    restore: { backupRef: { name: "nightly" }, accept: ["NewKeys", "MissingArtifacts"] },
    garbageCollection: { schedule: "0 3 * * *", olderThan: "168h", suspend: true, dryRun: true },
    server: {
      workers: 2,
      jobExecution: false,
      aiGateway: "Enabled",
      maxRequestBodySize: "128Mi",
      allowedHosts: ["mlflow.example.com", "mlflow.example.com:8443", "10.0.0.1:*", "[fd00::1]:*"],
      corsAllowedOrigins: ["https://mlflow.example.com", "http://localhost:3000"],
      logLevel: "DEBUG",
      tls: { certificateSecretRef: { name: "tls" } },
      sessionSecretRef: { name: "session" },
      env: [
        { name: "A", value: "two\nlines and a\ttab" },
        { name: "B", valueFrom: { secretKeyRef: { name: "s", key: "k", optional: true } } },
        { name: "C", valueFrom: { configMapKeyRef: { name: "c", key: "k", optional: false } } },
        { name: "D", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app.kubernetes.io/name']" } } },
      ],
      envFrom: [{ prefix: "P_", secretRef: { name: "s", optional: true } }, { configMapRef: { name: "c" } }],
      extraArgs: ["--secrets-cache-ttl=120", "--secrets-cache-max-size=500", "--x-frame-options=DENY"],
    },
    pod: {
      labels: { team: "ml", "example.com/cost-centre": "" },
      annotations: { note: 'any text\nof any form: {"a": 1}' },
      resources: { requests: { cpu: "500m", memory: "1Gi" }, limits: { memory: "2Gi", "nvidia.com/gpu": 1 } },
      setupResources: { requests: { memory: "384Mi" }, limits: { cpu: "1", memory: "1Gi" } },
      nodeSelector: { "kubernetes.io/os": "linux", disk: "fast" },
      tolerations: [
        { key: "dedicated", operator: "Equal", value: "ml", effect: "NoExecute", tolerationSeconds: 60 },
        { operator: "Exists" },
      ],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [nodeTerm] },
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference: nodeTerm }],
        },
        podAffinity: podTerms,
        podAntiAffinity: podTerms,
      },
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "topology.kubernetes.io/zone",
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: selector,
          minDomains: 2,
          nodeAffinityPolicy: "Honor",
          nodeTaintsPolicy: "Ignore",
          matchLabelKeys: ["pod-template-hash"],
        },
      ],
      priorityClassName: "high",
      runtimeClassName: "gvisor",
      startupTimeout: "20m",
      schedulerName: "my-scheduler",
      hostAliases: [
        { ip: "10.1.2.3", hostnames: ["db.example.com", "db"] },
        { ip: "fd00::1", hostnames: ["s3.example.com"] },
      ],
      dnsConfig: {
        searches: ["corp.example.com"],
        options: [{ name: "ndots", value: "2" }, { name: "single-request-reopen" }],
      },
    },
    serviceAccount: { annotations: { "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x", note: "any text" } },
    backendStore: {
      postgresql: {
        host: "db.example.com",
        port: 5433,
        database: "mlflow",
        credentialsSecretRef: { name: "db", usernameKey: "user", passwordKey: "pass" },
        sslMode: "verify-full",
        ca: { secretRef: { name: "db-ca", key: "ca.pem" } },
      },
      migration: "Manual",
      connectionCheck: false,
    },
    artifactStore: {
      s3: {
        bucket: "models",
        prefix: "team-a/mlflow",
        region: "eu-central-1",
        endpointURL: "https://minio.example.com:9000/s3",
        credentialsSecretRef: { name: "s3", accessKeyIDKey: "id", secretAccessKeyKey: "key" },
        ca: { configMapRef: { name: "s3-ca", key: "ca.pem" } },
      },
      access: "Direct",
      additionalLocations: ["s3://former-bucket/mlflow", "s3://other.bucket"],
      maxUploadSize: "1.5Gi",
    },
    exposure: { externalURL: "https://platform.example.com:8443/clusters/c-1/ml_flow.v2~x" },
    authentication: {
      basic: {
        passwordCacheTTL: "10m",
        adminCredentialsSecretRef: { name: "admin", usernameKey: "user", passwordKey: "pass.word" },
        defaultPermission: "NO_PERMISSIONS",
        database: {
          postgresql: {
            host: "fd00::1",
            database: "auth",
            credentialsSecretRef: { name: "auth-db" },
            ca: { configMapRef: { name: "auth-ca", key: "ca.pem" } },
          },
        },
      },
    },
  },
};

/** `smallest` with the fields that `fullest` cannot have. */
export const smallestInFull: Document = changed(smallest, {
  "spec.backendStore": { uriSecretRef: { name: "uri", key: "uri" } },
  "spec.artifactStore.persistentVolume": { size: "0.5Ti", storageClassName: "fast", accessModes: ["ReadWriteMany"] },
  "spec.authentication": { none: {} },
});

/** `fullest` with the alternative source for each field that has two. */
export const fullestOtherwise: Document = changed(fullest, {
  "spec.backendStore.postgresql.ca": { configMapRef: { name: "db-ca", key: "ca.pem" } },
  "spec.artifactStore.s3.ca": { secretRef: { name: "s3-ca", key: "ca.pem" } },
  "spec.authentication.basic.database.postgresql.ca": { secretRef: { name: "auth-ca", key: "ca.pem" } },
  "spec.authentication.basic.database.postgresql.credentialsSecretRef": {
    name: "auth-db",
    usernameKey: "user",
    passwordKey: "pass",
  },
});

export const sqliteWithS3: Document = changed(smallest, {
  "spec.backendStore.sqlite": { size: "2Gi", storageClassName: "fast" },
  "spec.artifactStore": { s3: { bucket: "models" } },
});

/** Google Cloud Storage, with every field. */
export const gcsInFull: Document = changed(smallest, {
  "spec.artifactStore": {
    gcs: {
      bucket: "models.example_1",
      prefix: "team-a/mlflow",
      endpointURL: "https://storage-vpc.p.googleapis.com",
      credentialsSecretRef: { name: "gcs", key: "key.json" },
    },
    additionalLocations: ["gs://former_bucket/mlflow", "wasbs://mlflow@models1.blob.core.windows.net/a"],
  },
});

/** Separate pods for artifacts. */
export const artifactsApart: Document = changed(smallest, {
  "spec.backendStore": { postgresql: { host: "db", database: "mlflow", credentialsSecretRef: { name: "db" } } },
  "spec.artifactStore": { s3: { bucket: "models" } },
  "spec.artifactServer": {
    replicas: 2,
    resources: { requests: { cpu: "500m", memory: "1Gi" }, limits: { cpu: "2", memory: "4Gi" } },
  },
  "spec.exposure": { externalURL: "https://mlflow.example.com" },
});

/** Azure Blob Storage, with each way to authenticate. */
export const azureBlobByKey: Document = changed(smallest, {
  "spec.artifactStore": {
    azureBlob: {
      storageAccount: "models1",
      container: "ml-flow",
      prefix: "team-a/mlflow",
      endpointSuffix: "blob.core.usgovcloudapi.net",
      accessKeySecretRef: { name: "azure", key: "access-key" },
    },
    connectionCheck: false,
  },
});

export const azureBlobByConnectionString: Document = changed(smallest, {
  "spec.artifactStore": {
    azureBlob: {
      storageAccount: "models",
      container: "mlflow",
      connectionStringSecretRef: { name: "azure", key: "connection-string" },
    },
    access: "Direct",
  },
});

/** The name of a bucket in each kind of object. */
export const bucketByReference: Document = changed(smallest, {
  "spec.artifactStore": { s3: { bucketRef: { configMapRef: { name: "claim", key: "BUCKET" } }, prefix: "a" } },
});

export const bucketsInSecrets: Document = changed(smallest, {
  "spec.artifactStore": { s3: { bucketRef: { secretRef: { name: "claim", key: "bucket.name" } } } },
});

/** A claim that the operator does not create, which also has the SQLite file. */
export const existingClaim: Document = changed(smallest, {
  "spec.artifactStore": {
    persistentVolume: { existingClaim: "shared", subPath: "mlflow/team-a", accessModes: ["ReadWriteMany"] },
  },
});

const ldapUsers = {
  url: "ldaps://ldap.example.com",
  search: {
    base: "ou=people,dc=example,dc=com",
    filter: "(|(uid=%s)(mail=%s))",
    usernameAttribute: "uid",
    bindCredentialsSecretRef: { name: "ldap", usernameKey: "dn", passwordKey: "pass" },
  },
  ca: { secretRef: { name: "ldap-ca", key: "ca.pem" } },
  groups: {
    searchBase: "ou=groups,dc=example,dc=com",
    filter: "(&(objectClass=groupOfUniqueNames)(uniqueMember=%s))",
    attribute: "cn",
    admin: "mlflow-admins",
    user: "mlflow-users",
  },
  passwordCacheTTL: "0s",
  defaultPermission: "EDIT",
  database: {
    postgresql: {
      host: "db.example.com",
      database: "auth",
      credentialsSecretRef: { name: "auth-db", usernameKey: "user", passwordKey: "pass" },
      ca: { secretRef: { name: "auth-ca", key: "ca.pem" } },
    },
  },
};

/** Users of a directory, found by a search. */
export const ldapSearch: Document = changed(smallest, { "spec.authentication": { ldap: ldapUsers } });

/** Users of a directory with a DN template; each source and default that `ldapSearch` does not have. */
export const ldapTemplate: Document = changed(smallest, {
  "spec.authentication": {
    ldap: {
      url: "ldap://[fd00::1]:3890/dc=mlflow,dc=test",
      startTLS: true,
      tlsVerification: "Optional",
      ca: { certificates: "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n" },
      userBind: "uid=%s,ou=people,dc=mlflow,dc=test",
      groups: { filter: "(uniquemember=%s)", admin: "cn=admins,dc=mlflow,dc=test", user: "cn=users,dc=mlflow,dc=test" },
      database: {
        postgresql: {
          host: "db.example.com",
          database: "auth",
          credentialsSecretRef: { name: "auth-db" },
          ca: { configMapRef: { name: "auth-ca", key: "ca.pem" } },
        },
      },
    },
  },
});

export const ldapOtherwise: Document = changed(ldapSearch, {
  "spec.authentication.ldap.ca": { configMapRef: { name: "ldap-ca", key: "ca.pem" } },
  "spec.authentication.ldap.search": { filter: "(uid=%s)" },
  "spec.authentication.ldap.url": "ldaps://10.0.0.1:6360/dc=example,dc=com",
});

/** Users of an OpenID Connect issuer, with every field. */
export const oidcInFull: Document = changed(smallest, {
  "spec.authentication": {
    oidc: {
      discoveryURL: "https://keycloak.example.com:8443/realms/ml/.well-known/openid-configuration",
      issuer: "https://id.example.com/realms/ml",
      clientID: "mlflow",
      clientSecretRef: { name: "oidc", key: "OIDC_CLIENT_SECRET" },
      redirectURL: "https://mlflow.example.com/callback",
      scopes: ["openid", "profile", "groups", "api://mlflow/.default"],
      audience: "mlflow-api",
      usernameClaim: "upn",
      groupsClaim: "https://example.com/groups",
      userGroup: "/ml/users of mlflow",
      adminGroup: "mlflow-admin",
      ca: { configMapRef: { name: "issuer-ca", key: "ca.pem" } },
      accessTokens: { maxAge: "720h" },
      defaultPermission: "READ",
      database: {
        postgresql: {
          host: "db.example.com",
          database: "auth",
          credentialsSecretRef: { name: "auth-db", usernameKey: "user", passwordKey: "pass" },
          ca: { secretRef: { name: "auth-ca", key: "ca.pem" } },
        },
      },
    },
  },
});

export const oidcOtherwise: Document = changed(oidcInFull, {
  "spec.authentication.oidc.ca": { secretRef: { name: "issuer-ca", key: "ca.pem" } },
  "spec.authentication.oidc.database.postgresql.ca": { configMapRef: { name: "auth-ca", key: "ca.pem" } },
  "spec.authentication.oidc.discoveryURL":
    "http://keycloak-service.keycloak:8080/realms/master/.well-known/openid-configuration",
});

/** oauth2-proxy with authorization by Kubernetes, with every field of both. */
export const proxied: Document = changed(smallest, {
  "spec.authentication": {
    oauth2Proxy: {
      image: {
        repository: "registry.example.com/oauth2-proxy",
        tag: "v7.15.5-alpine",
        digest: `sha256:${"1".repeat(64)}`,
        pullPolicy: "Never",
        pullSecrets: [{ name: "mirror" }],
      },
      resources: { requests: { cpu: "50m" }, limits: { memory: "128Mi" } },
      issuerURL: "https://dex.example.com:5554/dex/",
      clientID: "mlflow",
      clientSecretRef: { name: "client", key: "secret" },
      ca: { configMapRef: { name: "dex-ca", key: "ca.pem" } },
      redirectURL: "https://mlflow.example.com:8443/oauth2/callback",
      emailDomains: ["example.com", ".example.org"],
      allowedGroups: ["mlflow", "cn=data science"],
      extraJWTIssuers: [{ issuer: "https://ci.example.com/_services/token", audience: "mlflow" }],
      acceptServiceAccountTokens: {
        issuer: "https://kubernetes.default.svc",
        audience: "https://kubernetes.default.svc",
      },
      session: {
        refresh: "90s",
        expire: "2h",
        redis: {
          url: "rediss://redis.example.com:6379/3",
          username: "mlflow",
          passwordSecretRef: { name: "redis", key: "password" },
          ca: { secretRef: { name: "redis-ca", key: "ca.pem" } },
        },
      },
      extraArgs: ["--scope=openid email groups", "--prompt=login", "--oidc-groups-claim=roles"],
      authorization: { kubernetes: { accessReview: "SelfSubjectAccessReview" } },
    },
  },
  "spec.monitoring": { namespace: "observability" },
  "spec.networkPolicy": {
    enabled: true,
    from: [
      {
        namespaceSelector: {
          matchLabels: { team: "b" },
          matchExpressions: [{ key: "example.com/tier", operator: "In", values: ["research"] }],
        },
        podSelector: {
          matchLabels: { app: "notebook" },
          matchExpressions: [{ key: "example.com/untrusted", operator: "NotIn", values: ["true"] }],
        },
      },
      { ipBlock: { cidr: "10.0.0.0/8", except: ["10.9.0.0/16"] } },
      { ipBlock: { cidr: "fd00::/8" } },
    ],
    egress: { ports: [3128] },
    metadataService: "Denied",
  },
  "spec.workspaces": {
    selector: { matchLabels: { "example.com/tier": "research", team: "" } },
    default: "team-a",
    clientConfigMaps: false,
    access: [
      {
        role: "Editor",
        subjects: [
          { kind: "Group", name: "Data Science" },
          { kind: "ServiceAccount", name: "training", namespace: "team-a" },
        ],
        namespaces: ["team-a", "team-b"],
      },
      { role: "Viewer", subjects: [{ kind: "User", name: "ada" }], selector: { matchLabels: { team: "b" } } },
      { role: "TraceWriter", subjects: [{ kind: "Group", name: "system:serviceaccounts:agents" }], selector: {} },
    ],
  },
});

/** Kubernetes authorization for the user that oauth2-proxy has verified. */
export const vouched: Document = changed(proxied, {
  "spec.authentication.oauth2Proxy.authorization.kubernetes": {
    accessReview: "SubjectAccessReview",
    usernameClaim: "email",
    groupsClaim: "https://example.com/groups",
    usernamePrefix: "oidc:",
    groupsPrefix: "https://id.example.com#",
    reservedNames: ["root", "corp:*"],
  },
  "spec.workspaces": undefined,
});

/** oauth2-proxy alone, with the required fields, and fields that `proxied` cannot have. */
export const proxyAlone: Document = changed(smallest, {
  "spec.authentication": {
    oauth2Proxy: {
      issuerURL: "https://dex.example.com/dex",
      clientID: "mlflow",
      authorization: { allAuthenticatedUsers: {} },
      ca: { secretRef: { name: "dex-ca", key: "ca.pem" } },
      redirectURL: "http://localhost:5000/oauth2/callback",
      session: { redis: { url: "rediss://[fd00::1]:6379", ca: { configMapRef: { name: "redis-ca", key: "ca.pem" } } } },
      skipJWTBearerTokens: false,
      emailDomains: ["*"],
    },
  },
});

/** In a mesh. */
export const meshed: Document = changed(smallest, {
  "spec.traces": { writers: [{ namespace: "agents", serviceAccount: "otel.collector" }], identity: "Application" },
  "spec.mesh": { istio: { mode: "Ambient", trustDomain: "prod.example_1" } },
});

export const meshedWithoutWriters: Document = changed(meshed, {
  "spec.traces": { writers: [] },
  "spec.mesh.istio.trustDomain": undefined,
});

export const inSidecars: Document = changed(meshed, { "spec.mesh.istio.mode": "Sidecar" });

export const tracesByMesh: Document = changed(meshed, {
  "spec.traces.identity": "Mesh",
  "spec.backendStore": {
    postgresql: { host: "db.example.com", database: "mlflow", credentialsSecretRef: { name: "database" } },
  },
});

export const writersWithoutMesh: Document = changed(meshed, { "spec.mesh": undefined });

/** Exposed outside the cluster, with every field. */
export const exposed: Document = changed(smallest, {
  "spec.exposure": {
    externalURL: "https://platform.example.com:8443/clusters/c1/mlflow",
    ingress: {
      className: "nginx",
      annotations: {
        "nginx.ingress.kubernetes.io/proxy-body-size": "0",
        "cert-manager.io/cluster-issuer": "letsencrypt",
        note: "any text, {even} $this",
      },
      hosts: [
        { host: "platform.example.com" },
        { host: "traces.example.com", paths: ["/v1/traces", "/api/2.0/mlflow"] },
      ],
      tls: [
        { secretName: "platform-tls", hosts: ["platform.example.com"] },
        { secretName: "traces-tls", hosts: ["traces.example.com"] },
      ],
    },
    httpRoute: {
      parentRefs: [{ name: "platform", namespace: "gateways", sectionName: "https.x", port: 443 }, { name: "own" }],
      hostnames: ["mlflow.example.com", "platform.example.com"],
    },
  },
});

/** Exposed with the required fields only: the host defaults to that of the URL, or the URL to that of the host. */
export const exposedByUrl: Document = changed(smallest, {
  "spec.exposure": {
    externalURL: "https://mlflow.example.com",
    ingress: {},
    httpRoute: { parentRefs: [{ name: "a" }] },
  },
});

export const exposedByHost: Document = changed(proxyAlone, {
  "spec.authentication.oauth2Proxy.redirectURL": undefined,
  "spec.exposure": { ingress: { hosts: [{ host: "mlflow.example.com" }], tls: [{ secretName: "tls" }] } },
});

/** All of the above: together they have every field. */
/** A database whose address and credentials are in a Secret of another operator, with client certificate, schema and replica. */
const addressInSecret = {
  credentialsSecretRef: {
    name: "db",
    usernameKey: "username",
    passwordKey: "password",
    hostKey: "host",
    portKey: "port",
    databaseKey: "dbname",
  },
};

const postgresqlInSecret = {
  ...addressInSecret,
  sslMode: "verify-full",
  ca: { secretRef: { name: "db-ca", key: "ca.crt" } },
  clientCertificateSecretRef: { name: "db-client" },
  searchPath: "mlflow,public",
};

const usersInSecret = { database: { postgresql: postgresqlInSecret } };

/** Everything of PostgreSQL that `fullest` does not have. */
export const postgresqlFromSecret: Document = changed(smallest, {
  "spec.backendStore": {
    postgresql: { ...postgresqlInSecret, readReplica: { host: "db-ro.example.com", port: 5433 } },
  },
  "spec.authentication": { basic: usersInSecret },
});

export const ldapUsersFromSecret: Document = changed(ldapSearch, {
  "spec.authentication.ldap": { ...ldapUsers, ...usersInSecret },
});

export const oidcUsersFromSecret: Document = changed(oidcInFull, {
  "spec.authentication.oidc.database": usersInSecret.database,
});

/** MySQL with every field. */
export const mysqlInFull: Document = changed(smallest, {
  "spec.autoscaling": { maxReplicas: 3 },
  "spec.artifactStore": { s3: { bucket: "models" } },
  "spec.backendStore": {
    mysql: {
      host: "mysql.example.com",
      port: 3307,
      database: "mlflow-1",
      credentialsSecretRef: { name: "db", usernameKey: "user", passwordKey: "pass" },
      tls: {
        mode: "VerifyIdentity",
        ca: { configMapRef: { name: "db-ca", key: "ca.pem" } },
        clientCertificateSecretRef: { name: "db-client" },
      },
      readReplica: { host: "mysql-ro.example.com", port: 3308 },
    },
  },
  "spec.authentication": { none: {} },
});

/** MySQL whose address is in the Secret; the users of LDAP are in PostgreSQL. */
export const mysqlFromSecret: Document = changed(mysqlInFull, {
  "spec.backendStore.mysql": { ...addressInSecret, tls: { ca: { secretRef: { name: "db-ca", key: "ca.pem" } } } },
  "spec.authentication": { ldap: ldapUsers },
});

export const mssqlInFull: Document = changed(mysqlInFull, {
  "spec.backendStore": {
    mssql: {
      host: "mssql.example.com",
      port: 1434,
      database: "mlflow-1",
      credentialsSecretRef: { name: "db", usernameKey: "user", passwordKey: "pass" },
      encryption: "request",
    },
  },
});

/** SQL Server whose address is in the Secret; the users of OpenID Connect are in PostgreSQL. */
export const mssqlFromSecret: Document = changed(oidcUsersFromSecret, {
  "spec.backendStore": { mssql: addressInSecret },
});

/** For clients outside the cluster by a load balancer, and by ports of the nodes. */
export const byLoadBalancer: Document = changed(smallest, {
  "spec.authentication": { basic: {} },
  "spec.exposure": { externalURL: "https://mlflow.example.com:8443" },
  "spec.service": {
    type: "LoadBalancer",
    port: 443,
    annotations: { "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal" },
    loadBalancerClass: "service.k8s.aws/nlb",
    loadBalancerSourceRanges: ["10.0.0.0/8", "fd00::/8"],
    externalTrafficPolicy: "Local",
    ipFamilyPolicy: "PreferDualStack",
    ipFamilies: ["IPv4", "IPv6"],
  },
});

export const byNodePort: Document = changed(smallest, {
  "spec.authentication": { basic: {} },
  "spec.exposure": { externalURL: "http://node.example.com:30500" },
  "spec.service": { type: "NodePort", port: 30_500 },
});

export const annotatedService: Document = changed(smallest, {
  "spec.service": { annotations: { "cloud.google.com/backend-config": '{"default": "mlflow"}', note: "two\nlines" } },
});

export const rightDocuments: Readonly<Record<string, Document>> = {
  smallest,
  smallestInFull,
  sqliteWithS3,
  gcsInFull,
  azureBlobByKey,
  azureBlobByConnectionString,
  bucketByReference,
  bucketsInSecrets,
  existingClaim,
  artifactsApart,
  fullest,
  fullestOtherwise,
  postgresqlFromSecret,
  mysqlInFull,
  mysqlFromSecret,
  mssqlInFull,
  mssqlFromSecret,
  ldapUsersFromSecret,
  oidcUsersFromSecret,
  ldapSearch,
  ldapTemplate,
  ldapOtherwise,
  oidcInFull,
  oidcOtherwise,
  proxied,
  vouched,
  proxyAlone,
  meshed,
  meshedWithoutWriters,
  inSidecars,
  tracesByMesh,
  writersWithoutMesh,
  exposed,
  exposedByUrl,
  exposedByHost,
  byLoadBalancer,
  byNodePort,
  annotatedService,
  granting,
};

/** A copy with fields set by path; `undefined` removes a field. Missing parents are created; `[0]` selects an item. */
export function changed(document: Document, changes: Readonly<Record<string, Json | undefined>>): Document {
  let copy = document;
  for (const [path, value] of Object.entries(changes)) {
    copy = asDocument(withValue(copy, path.replaceAll("[", ".[").split("."), value));
  }
  return copy;
}

function withValue(node: Json | undefined, [step = "", ...rest]: readonly string[], value: Json | undefined): Json {
  const next = (below: Json | undefined) => (rest.length === 0 ? value : withValue(below, rest, value));
  if (step.startsWith("[")) {
    const index = Number(step.slice(1, -1));
    return (Array.isArray(node) ? node : []).map((item, at) => (at === index ? (next(item) ?? null) : item));
  }
  const { [step]: below, ...others } = asDocument(node ?? {});
  const replaced = next(below);
  return replaced === undefined ? others : { ...others, [step]: replaced };
}

export function asDocument(value: Json): Document {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object");
  return value;
}
