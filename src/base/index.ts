export { CallboardError, isCallboardError } from './error.ts'
export type { ErrorDetails } from './error.ts'
