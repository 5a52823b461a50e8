// A door on a free port of this machine, for clients that speak HTTP.
import { toNodeHandler } from '@modelcontextprotocol/node'
import type { NodeIncomingMessageLike } from '@modelcontextprotocol/node'
import type { McpCaller, McpDoor } from 'callboard/mcp'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Listening {
  readonly url: string
  close(): Promise<void>
}

/** @param callerOf who asks, as whoever mounts a door knows it: here, from a header */
export async function listen(door: McpDoor, callerOf: (request: Request) => McpCaller | undefined): Promise<Listening> {
  const handle = toNodeHandler({
    fetch: (request) => {
      const caller = callerOf(request)
      return door.fetch(request, caller === undefined ? {} : { caller })
    },
  })
  const server = createServer((request, response) => void handle(request as NodeIncomingMessageLike, response))
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
