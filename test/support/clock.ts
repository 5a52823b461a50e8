// The virtual clock of the tests is the one that users get.
export { createTestClock } from 'callboard/testing'
export type { TestClock } from 'callboard/testing'
