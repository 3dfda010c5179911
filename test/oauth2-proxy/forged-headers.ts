const names = [
  ...[
    "X-Remote-User",
    "x-remote-user",
    "X-REMOTE-USER",
    "x_remote_user",
    "X_Remote_User",
    "X-Remote_User",
    "REMOTE_USER",
  ],
  ...["Remote-User", "X-Remote-Group", "X-Remote-Groups", "x_remote_groups", "X-Remote-Extra-Scopes"],
  ...[
    "X-Forwarded-User",
    "x_forwarded_user",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
  ],
  ...["X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Auth-Request-Access-Token"],
  ...[
    "X-Forwarded-Access-Token",
    "Kubeflow-Userid",
    "Kubeflow-Groups",
    "Gap-Auth",
    "Gap-Signature",
    "Impersonate-User",
  ],
  ...["Impersonate-Group", "X-User", "X-Email", "X-Authenticated-User", "X-Webauth-User", "X-Original-User"],
];

/** Headers by which a client may claim an identity, a trusted address or a permission: each entry is sent unchanged. */
export const forgedHeaders: readonly (readonly string[])[] = [
  ...names.map((name) => [`${name}: ${/group/i.test(name) ? "system:masters" : "admin"}`]),
  // A path that is public in other products, and an address that they trust.
  ...["X-Forwarded-Uri", "X-Original-Uri", "X-Original-Url", "X-Rewrite-Url"].map((name) => [`${name}: /health`]),
  ...["X-Forwarded-For", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip"].map((name) => [`${name}: 127.0.0.1`]),
  ["Forwarded: for=127.0.0.1;host=localhost;proto=https"],
  ["X-Forwarded-Host: localhost", "X-Forwarded-Proto: https"],
  // Headers that a proxy may remove.
  ["Connection: close, X-Remote-User", "X-Remote-User: admin"],
  ["Connection: close, Authorization", "X-Forwarded-User: admin"],
  ["Connection: close, X-Forwarded-For"],
  // Repeated and folded.
  ["X-Remote-User: nobody", "X-Remote-User: admin"],
  ["X-Remote-User:admin"],
  ["X-Remote-User: admin", "X-Remote-Groups: a,system:masters|system:masters"],
  ["User-Agent: kube-probe/1.36"],
  ["User-Agent: GoogleHC/1.0"],
  ["X-Requested-With: XMLHttpRequest"],
  ["Cookie: _team-a_demo=forged|1|forged"],
  ["Cookie: _oauth2_proxy=forged"],
];
