// callboard/mcp: the runs of a runtime for clients of the Model Context Protocol.
export type { McpCall } from './audit.ts'
export type { McpCaller } from './caller.ts'
export { McpDoor, openMcp } from './door.ts'
export type { McpOptions, McpRequestOptions } from './door.ts'
