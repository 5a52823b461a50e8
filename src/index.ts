export { CallboardError, isCallboardError } from './base/index.ts'
