/** The person whom a token names. */
export interface Person {
  /** The permanent id of the account: the key under which to store things. */
  did: string;
  username: string;
  /** As verified when the person last signed in; display text. */
  handle: string | null;
  /** The session: one person on one device. */
  sid: string;
  /** Seconds since 1970. */
  issuedAt: number;
  expiresAt: number;
}

export interface Options {
  /** TOKEN_AUDIENCE of the service; the issuer, when the service sets none. */
  audience?: string | null | undefined;
  /** TOKEN_ALGORITHM of the service; RS256 when it sets none. */
  algorithm?: "RS256" | "ES256" | "EdDSA" | undefined;
  /** COOKIE_NAME of the service; `platform_token` when it sets none. */
  cookie?: string | undefined;
  /** For tests: gets the text of a URL. */
  fetch?: (url: string) => Promise<string>;
  /** For tests: milliseconds since 1970, by which tokens are judged. */
  clock?: () => number;
  /** For tests: milliseconds that no change of the clock moves, by which documents age. */
  monotonic?: () => number;
}

/** Verifies the tokens of one service. One for each process. */
export class Verifier {
  /** `issuer` is the service's PUBLIC_URL; throws a TypeError for another form. */
  constructor(issuer: string, options?: Options);
  readonly issuer: string;
  /** Returns the person whom a token names; rejects with a VerifyError. */
  verify(token: string): Promise<Person>;
  /**
   * Returns the person of a request, by its headers. A Bearer token decides alone; of several
   * cookies of the name, the first that verifies counts. Rejects with a VerifyError.
   */
  authenticate(headers?: {
    authorization?: string | null | undefined;
    cookie?: string | null | undefined;
  }): Promise<Person>;
  /** Returns the address of the sign-in page, which leads back to `returnTo`. */
  loginUrl(returnTo: string): string;
}

/** `message` says which check failed; it holds no token and no claim. */
export class VerifyError extends Error {}
/** No keys were fetched yet, and the service cannot be reached: answer 503. */
export class KeysUnavailable extends VerifyError {}
/** The request proves no signed-in person: answer 401, or lead to the sign-in page. */
export class NotSignedIn extends VerifyError {}
export class TokenMissing extends NotSignedIn {}
export class TokenInvalid extends NotSignedIn {}
export class TokenExpired extends NotSignedIn {}
export class SessionEnded extends NotSignedIn {}
