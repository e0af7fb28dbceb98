// The reference PDS, set up by its own PDS_* variables, on 127.0.0.1 alone.

import { PDS } from '@atproto/pds'

// The package listens on every interface and has no setting for it.
function listenOnLoopback(pds) {
  const listen = pds.app.listen.bind(pds.app)
  pds.app.listen = (port) => listen(port, '127.0.0.1')
}

await PDS.run({ onCreated: listenOnLoopback })
