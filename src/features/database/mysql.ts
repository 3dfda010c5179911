import type { Mysql } from "../../api/fields/mysql.ts";
import type { Database, Place } from "./database.ts";
import { publicCaBundle, serverDatabase, type TlsFiles, tlsFiles } from "./database-server.ts";

/** Returns a MySQL or MariaDB database. */
export function mysqlDatabase(settings: Mysql, place: Place): Database {
  const { ca, clientCertificateSecretRef } = settings.tls ?? {};
  const tls = tlsFiles(ca, clientCertificateSecretRef, `${place.path}.tls`, place);
  return serverDatabase(settings, place, {
    displayName: "MySQL",
    defaultPort: 3306,
    driver: "mysql+pymysql",
    parameters: { charset: "utf8mb4", ...tlsParameters(settings.tls, tls) },
    tls,
    identity: { before: ["mysql"] },
  });
}

/**
 * Returns the parameters of PyMySQL for a mode. In the URI, not in MLflow's variables MLFLOW_MYSQL_SSL_*, which verify
 * nothing. `ssl_check_hostname` alone requires TLS without verification; `ssl_ca` verifies the certificate and the name.
 */
function tlsParameters(settings: Mysql["tls"], { ca, certificate }: TlsFiles): Record<string, string> {
  const files: Record<string, string> = certificate ? { ssl_cert: certificate.path, ssl_key: certificate.keyPath } : {};
  const hasFiles = ca !== undefined || certificate !== undefined;
  switch (settings?.mode ?? (hasFiles ? "VerifyIdentity" : "Preferred")) {
    case "Disabled":
      return { ssl_disabled: "true" };
    case "Preferred":
      return {};
    case "Required":
      return { ssl_check_hostname: "false", ...files };
    case "VerifyCA":
      return { ssl_ca: ca ?? publicCaBundle, ssl_check_hostname: "false", ...files };
    case "VerifyIdentity":
      return { ssl_ca: ca ?? publicCaBundle, ...files };
  }
}
