const hex = "[0-9A-Fa-f]{1,4}";

/** An IPv6 address in all forms except those with an embedded IPv4 address. */
const ipv6 = [
  `(${hex}:){7}${hex}`,
  `(${hex}:){1,7}:`,
  ...[1, 2, 3, 4, 5].map((after) => `(${hex}:){1,${7 - after}}(:${hex}){1,${after}}`),
  `${hex}:(:${hex}){1,6}`,
  `:((:${hex}){1,7}|:)`,
].join("|");

const octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

/** A port from 1 to 65535. */
export const portPattern = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

/** An IPv6 address in brackets. */
export const ipv6Pattern = String.raw`\\[(${ipv6})\\]`;

/**
 * A host of a URL, as a regular expression (RE2): a name, an IPv4 or an IPv6 address. The last label of a name cannot begin
 * with a digit: URL parsers interpret such a name as an address and fail.
 */
export const hostPattern = `(([A-Za-z0-9._-]*[.])?[A-Za-z_][A-Za-z0-9_-]*[.]?|(${octet}[.]){3}${octet}|${ipv6Pattern})`;

/** A host with an optional port. */
export const hostWithPort = `${hostPattern}(:${portPattern})?`;
