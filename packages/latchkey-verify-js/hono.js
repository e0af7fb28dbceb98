// Hono, on any runtime: who is signed in, for each request.

import { KeysUnavailable, NotSignedIn } from "./errors.js";

/** Returns middleware that sets `c.get("person")`, a Person or null, and `c.get("personError")`. */
export function signedIn(verifier) {
  return async (c, next) => {
    c.set("person", null);
    c.set("personError", null);
    try {
      const [authorization, cookie] = [c.req.header("authorization"), c.req.header("cookie")];
      c.set("person", await verifier.authenticate({ authorization, cookie }));
    } catch (error) {
      if (error instanceof KeysUnavailable) {
        return c.text("The sign-in service cannot be reached.\n", 503, { "Retry-After": "10" });
      }
      if (!(error instanceof NotSignedIn)) throw error;
      c.set("personError", error);
    }
    return next();
  };
}
