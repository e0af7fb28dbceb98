import type { IncomingMessage, ServerResponse } from "node:http";
import type { NotSignedIn, Person, Verifier } from "./index.js";

declare module "node:http" {
  interface IncomingMessage {
    /** The person who is signed in, or null; set by `signedIn`. */
    person?: Person | null;
    /** Why `person` is null. */
    personError?: NotSignedIn | null;
  }
}

/** Middleware that sets `request.person`; answers 503 when no keys could be fetched yet. */
export function signedIn(
  verifier: Verifier,
): (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => Promise<void>;
