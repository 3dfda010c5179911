/** The same tests on a cluster with addresses of IPv6 only. */
import "../live/quick-start.test.ts";
