export interface StartOptions<Input> {
  readonly input?: Input
  /** Chosen by the runtime unless given; refused if a run has it already. */
  readonly runId?: string
}

/** `input` may be left out only where the workflow takes none. */
export type StartArguments<Input> = undefined extends Input
  ? [options?: StartOptions<Input>]
  : [options: StartOptions<Input> & { readonly input: Input }]
