// The reference PDS, set up by its own PDS_* variables, on 127.0.0.1 alone.

import { PDS } from '@atproto/pds'

// The package listens on every interface and has no setting for it.
function listenOnLoopback(pds) {
  const listen = pds.app.listen.bind(pds.app)
  pds.app.listen = (port) => listen(port, '127.0.0.1')
}

// Nor has it one for how long tokens and nonces serve: milliseconds, here.
function hurry({ ctx: { oauthProvider } }) {
  const { LAB_TOKEN_MAX_AGE_MS, LAB_NONCE_ROTATION_MS } = process.env
  const { tokenManager, dpopManager } = oauthProvider
  if (LAB_TOKEN_MAX_AGE_MS) tokenManager.tokenMaxAge = Number(LAB_TOKEN_MAX_AGE_MS)
  if (LAB_NONCE_ROTATION_MS) {
    const DpopNonce = dpopManager.dpopNonce.constructor
    dpopManager.dpopNonce = new DpopNonce(undefined, Number(LAB_NONCE_ROTATION_MS))
  }
}

function prepare(pds) {
  listenOnLoopback(pds)
  hurry(pds)
}

await PDS.run({ onCreated: prepare })
