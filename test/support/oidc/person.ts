/** A user with an account at the issuer. */
export interface Person {
  /** The name in the login form; also `preferred_username`. */
  readonly login: string;
  readonly password: string;
  /** The subject in tokens. Default: the login. */
  readonly subject?: string;
  /** Default: `<login>@example.com`. */
  readonly email?: string;
  readonly groups?: readonly string[];
}

/** Returns the claims of a user in ID tokens and in the response of the userinfo endpoint. */
export function claimsOf(person: Person) {
  return {
    sub: person.subject ?? person.login,
    email: person.email ?? `${person.login}@example.com`,
    email_verified: true,
    name: person.login,
    preferred_username: person.login,
    groups: [...(person.groups ?? [])],
  };
}
