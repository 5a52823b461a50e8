// A door on a free port of this machine, for clients that speak HTTP.
import { getRequestListener } from '@hono/node-server'
import type { McpCaller, McpDoor } from 'callboard/mcp'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Listening {
  readonly url: string
  close(): Promise<void>
}

/** @param callerOf who asks, as whoever mounts a door knows it: here, from a header */
export async function listen(door: McpDoor, callerOf: (request: Request) => McpCaller | undefined): Promise<Listening> {
  const answer = (request: Request): Promise<Response> => {
    const caller = callerOf(request)
    return door.fetch(request, caller === undefined ? {} : { caller })
  }
  // As in our own server: its clean-up resets a connection now and then in the middle of the next request.
  const handle = getRequestListener(answer, { overrideGlobalObjects: false, autoCleanupIncoming: false })
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
