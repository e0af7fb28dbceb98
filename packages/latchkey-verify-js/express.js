// Express (and any server of Node's own kind): who is signed in, for each request.

import { KeysUnavailable, NotSignedIn } from "./errors.js";

/** Returns middleware that sets `request.person`, a Person or null, and `request.personError`. */
export function signedIn(verifier) {
  return async (request, response, next) => {
    request.person = request.personError = null;
    try {
      request.person = await verifier.authenticate(request.headers);
    } catch (error) {
      if (error instanceof KeysUnavailable) {
        response.writeHead(503, { "Content-Type": "text/plain", "Retry-After": "10" });
        response.end("The sign-in service cannot be reached.\n");
        return;
      }
      if (!(error instanceof NotSignedIn)) return next(error);
      request.personError = error;
    }
    return next();
  };
}
