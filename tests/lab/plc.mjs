// A PLC directory on 127.0.0.1:PLC_PORT that keeps its identities in memory:
// a network lives as long as its processes, and the next one starts empty.

import plc from '@did-plc/server'

const server = plc.PlcServer.create({
  db: new plc.MockDatabase(),
  port: Number(process.env.PLC_PORT),
})

// The package listens on every interface and has no setting for it.
const listen = server.app.listen.bind(server.app)
server.app.listen = (port) => listen(port, '127.0.0.1')
const http = await server.start()

// An outage that forgets no identity: refuse connections, and take them again. Without
// the timer, Node ends once nothing listens.
setInterval(() => {}, 60_000)
process.on('SIGUSR2', () => {
  if (!http.listening) return http.listen(Number(process.env.PLC_PORT), '127.0.0.1')
  http.close()
  http.closeAllConnections()
})

process.once('SIGTERM', () => server.destroy().then(() => process.exit(0)))
