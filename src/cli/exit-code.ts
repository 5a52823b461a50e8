/** What a command ends with. */
export const EXIT = {
  success: 0,
  /** The run failed, or what was looked at is damaged. */
  failed: 1,
  /** The command, its arguments or what they name cannot be used. */
  usage: 2,
  /** The run waits for somebody, and nobody is there to be asked. */
  waiting: 3,
  SIGINT: 130,
  SIGTERM: 143,
} as const
