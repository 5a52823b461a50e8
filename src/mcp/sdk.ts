// The MCP SDK is an optional peer: it is loaded when a door is opened, and its absence says what to install.
import type * as Server from '@modelcontextprotocol/server'
import type * as Stdio from '@modelcontextprotocol/server/stdio'
import { CallboardError, importPackage } from '../base/index.ts'

export type McpSdk = typeof Server
export type McpStdio = typeof Stdio

/** The version that this package is tested with. */
const PACKAGE = '@modelcontextprotocol/server@2.4.0'

/** @throws CallboardError `mcp.package-missing` */
export async function loadSdk(
  load: () => Promise<McpSdk> = () => importPackage('@modelcontextprotocol/server') as Promise<McpSdk>,
): Promise<McpSdk> {
  try {
    return await load()
  } catch (cause) {
    const { code } = (cause ?? {}) as { readonly code?: unknown }
    if (code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = `callboard/mcp needs a package that is not installed: npm i ${PACKAGE}`
    throw new CallboardError('mcp.package-missing', message, { package: PACKAGE }, { cause })
  }
}

/** Where `loadSdk` found the package, this is there too. */
export function loadStdio(): Promise<McpStdio> {
  return importPackage('@modelcontextprotocol/server/stdio') as Promise<McpStdio>
}
