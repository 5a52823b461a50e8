export { ENTRY_TOOLS, lookAt } from './entry-tools.ts'
export { MEMORY_TOOLS } from './memory-tools.ts'
export { RUN_TOOLS } from './run-tools.ts'
export type { Tool, ToolAnswer } from './tool.ts'
