import type { SecretData } from "./referenced-content.ts";

export const redacted = "***";

/** Keys of Secrets that hold no secret, such as a user name: their values can be words that occur everywhere. */
const publicKeys = /^(.*user(name)?|host|port|dbname|database|name|.*\.crt|client[-_]?id)$/i;
/** Shorter values occur in any text. */
const shortest = 4;

/** Returns the texts that must not appear: each value, its lines, the passwords in its URLs, and their usual encodings. */
export function secretTexts(secrets: readonly SecretData[]): string[] {
  const values = secrets.flatMap((data) =>
    Object.entries(data).flatMap(([key, value]) => (publicKeys.test(key) ? [] : partsOf(value))),
  );
  const forms = values.flatMap((value) => [
    value.trim(),
    encodeURIComponent(value.trim()),
    Buffer.from(value).toString("base64"),
    Buffer.from(value).toString("base64url"),
    JSON.stringify(value.trim()).slice(1, -1),
  ]);
  return [...new Set(forms)].filter(({ length }) => length >= shortest).sort((one, other) => other.length - one.length);
}

/** The value, and what in it is a secret in itself: settings of a file, passwords in URLs, texts in JSON, parts of a connection string. */
function partsOf(value: string): string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim());
  const settings = [...lines, ...lines.flatMap((line) => line.split(";"))].flatMap(
    (line) => /^[\w.-]{1,100} ?[=:] ?(\S.*)$/.exec(line)?.[1] ?? [],
  );
  const passwords = lines.flatMap((line) =>
    line
      .split("://")
      .slice(1)
      .flatMap((rest) => {
        const password = passwordOf(rest);
        return password === undefined ? [] : [password, decodedText(password)];
      }),
  );
  const long = [...lines, ...settings].filter(({ length }) => length >= 8);
  return [value, ...long, ...passwords, ...textsInJson(value)].filter((text) => text !== "");
}

/** The password in `user:password@host…`. */
function passwordOf(text: string): string | undefined {
  const [colon, at] = [text.indexOf(":"), text.indexOf("@")];
  const hasPassword = colon >= 0 && at > colon + 1 && !/[/\s]/.test(text.slice(0, colon));
  return hasPassword ? text.slice(colon + 1, at) : undefined;
}

/** The texts of a JSON document, such as the credentials of a registry or of a service account. */
function textsInJson(value: string): string[] {
  if (!/^\s*[{[]/.test(value)) return [];
  try {
    return textsIn(JSON.parse(value), "");
  } catch {
    return [];
  }
}

function textsIn(value: unknown, field: string): string[] {
  if (typeof value === "string") return isPublicField(field) ? [] : partsOf(value);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => textsIn(each, key));
}

/** Fields of such documents that hold no secret; others with a short value would remove words from every text. */
function isPublicField(field: string): boolean {
  return publicKeys.test(field) || /^(type|email|project_id|universe_domain|.*_uri|.*_url)$/i.test(field);
}

function decodedText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Words in the names of fields, variables and parameters whose values are secret. */
const secretWord =
  "pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key|signature|assertion|authorization|cookie";
/** Names that end in these name a key or an object, and hold no secret. */
const isNameOfSecret = new RegExp(secretWord, "i");
const isReference = /(name|ref|key|keys|path|url|file|mount|ttl|policy|expirationseconds|method)$/i;

/** What is redacted in any text: the pattern, and what replaces it. */
const patterns: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(-----END [A-Z ]{0,30}PRIVATE KEY-----)?/g, redacted],
  [/:\/\/[^/\s@"']{0,300}@/g, `://${redacted}@`],
  [/(?<![\w-])eyJ[\w-]{5,}\.[\w-]+(\.[\w-]*)?/g, redacted],
  [/\b(AKIA|ASIA)[A-Z0-9]{16}\b/g, redacted],
  [/\b(bearer|basic|negotiate) {1,3}[\w+/.~=-]{6,}/gi, `$1 ${redacted}`],
  [/((?:authorization|cookie)["']?[ \t]{0,3}[:=][ \t]{0,3})[^\r\n]+/gi, `$1${redacted}`],
  [
    /([?&](?:code|state|sig|id_token|access_token|client_secret|nonce|x-amz-[a-z-]{1,30})=)[^&\s"']+/gi,
    `$1${redacted}`,
  ],
  [
    new RegExp(`((?:${secretWord})[\\w.-]{0,40}["']?[ \\t]{0,3}[=:][ \\t]{0,3}["']?)[^\\s"',;&]+`, "gi"),
    `$1${redacted}`,
  ],
];

/** Returns a function that removes known secrets, and what looks like one, from a text. */
export function redaction(secrets: readonly SecretData[]): (text: string) => string {
  const known = secretTexts(secrets);
  return (text) => {
    const without = known.reduce((current, secret) => current.replaceAll(secret, redacted), text);
    return patterns.reduce((current, [pattern, by]) => current.replace(pattern, by), without);
  };
}

/**
 * Returns a copy of an object for a support bundle: without `managedFields` and the annotation of kubectl, with the values of
 * variables that the user has set, and of fields with the name of a secret, removed. Each text passes `redact`.
 */
export function redactedObject(value: unknown, redact: (text: string) => string, field = ""): unknown {
  if (typeof value === "string")
    return isNameOfSecret.test(field) && !isReference.test(field) ? redacted : redact(value);
  if (Array.isArray(value))
    return value.map((each: unknown, index) =>
      typeof each === "string" && isSecretFlag(value[index - 1]) ? redacted : redactedObject(each, redact, field),
    );
  if (typeof value !== "object" || value === null) return value;
  if ("name" in value && "value" in value && typeof value.name === "string" && typeof value.value === "string")
    return { ...value, value: isPublicVariable(value.name) ? redact(value.value) : redacted };
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "managedFields" && key !== "kubectl.kubernetes.io/last-applied-configuration")
      .map(([key, each]) => [redact(key), redactedObject(each, redact, key)]),
  );
}

/** Whether an argument is a flag whose value, a secret, is the next argument. */
function isSecretFlag(argument: unknown): boolean {
  if (typeof argument !== "string" || !/^--?[\w-]+$/.test(argument)) return false;
  return isNameOfSecret.test(argument) && !isReference.test(argument);
}

/** Variables that the operator sets, of which none holds a secret itself; any other can be a user's. */
function isPublicVariable(name: string): boolean {
  return /^_?(MLFLOW|OAUTH2_PROXY|PYTHON|GUNICORN|UVICORN)_?/.test(name) && !isNameOfSecret.test(name);
}
