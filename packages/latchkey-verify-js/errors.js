// Errors of verification. `message` says which check failed; it holds no token and no claim.

export class VerifyError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No keys were fetched yet, and the service cannot be reached: answer 503. */
export class KeysUnavailable extends VerifyError {}

/** The request proves no signed-in person: answer 401, or lead to the sign-in page. */
export class NotSignedIn extends VerifyError {}

/** The request has neither a Bearer token nor a cookie. */
export class TokenMissing extends NotSignedIn {}

/** Not a token of this service: its form, header, signature or claims. */
export class TokenInvalid extends NotSignedIn {}

/** A token of this service after its `exp`. */
export class TokenExpired extends NotSignedIn {}

/** The token's session ended: sign-out, a disabled or a deleted account. */
export class SessionEnded extends NotSignedIn {}
