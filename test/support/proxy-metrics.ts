/** The metrics of oauth2-proxy that alerts and the dashboard use. A test compares them with the real program. */
export const proxyMetrics = ["oauth2_proxy_requests_total", "oauth2_proxy_requests_in_flight"] as const;
