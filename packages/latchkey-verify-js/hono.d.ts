import type { NotSignedIn, Person, Verifier } from "./index.js";

/** The variables that `signedIn` sets, for `new Hono<{ Variables: Variables }>()`. */
export interface Variables {
  person: Person | null;
  personError: NotSignedIn | null;
}

/** Middleware that sets `c.get("person")`; answers 503 when no keys could be fetched yet. */
export function signedIn(verifier: Verifier): (c: any, next: () => Promise<void>) => Promise<any>;
